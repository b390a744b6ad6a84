import { expect, test } from "bun:test";
import { asyncApi } from "../../../protocols/asyncapi.ts";
import { topics } from "../../../protocols/topics.ts";
import { clientMessages, serverMessages } from "../../../protocols/websocket.ts";

type Page = { readonly channels: Record<string, { readonly messages: Record<string, { readonly payload: unknown }> }> };
const page = asyncApi("1.2.3") as unknown as Page; // the shape is what is tested

test("each message that may be sent stands on the page", () => {
  expect(Object.keys(page.channels.live?.messages ?? {}).sort()).toEqual(
    [...Object.keys(clientMessages), ...Object.keys(serverMessages)].sort(),
  );
  for (const { name, messages } of Object.values(topics)) {
    expect(Object.keys(page.channels[name]?.messages ?? {})).toEqual(messages.map(({ type }) => type));
  }
});

test("each reference leads somewhere", () => {
  const references = [...JSON.stringify(page).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? "");
  expect(references.length).toBeGreaterThan(20);
  for (const path of references) {
    const found = path.split("/").reduce<unknown>((place, key) => (place as Record<string, unknown> | undefined)?.[key], page);
    expect([path, found !== undefined]).toEqual([path, true]);
  }
});

test("bytes are told as bytes, and nothing is left without a kind", () => {
  const image = JSON.stringify(page.channels["assessment-tasks"]);
  expect(image).toContain('"format":"binary"');
  const update = page.channels.live?.messages.risk_update?.payload as {
    properties: { data: { properties: Record<string, unknown> } };
  };
  expect(update.properties.data.properties.cursor).toMatchObject({ type: "string" });
});
