import { afterEach, expect, test } from "bun:test";
import { createApp, type Serving, serve } from "../../../edge/server.ts";
import { fakeEdge } from "../../support/edge.ts";
import { openRaw } from "../../support/raw-websocket.ts";

let serving: Serving | null = null;
afterEach(async () => {
  await serving?.stop(0);
  serving = null;
});
const start = async (): Promise<Serving> => {
  const edge = await fakeEdge();
  serving = serve(createApp(edge), edge, { host: "127.0.0.1", port: 0 });
  return serving;
};

const mebibyte = 1024 * 1024;
const manyBytes = (): ReadableStream<Uint8Array> => new Blob([new Uint8Array(3 * mebibyte)]).stream();
test.each([
  ["just above the limit", () => new Uint8Array(mebibyte + 1)],
  ["far above the limit", () => new Uint8Array(8 * mebibyte)],
  ["far above the limit, of a length not told", manyBytes],
])("a body %s is refused by a problem document", async (_what, body) => {
  const { url } = await start();
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${url}/api/cameras`, { method: "POST", headers, body: body() });
  expect([answer.status, answer.headers.get("content-type")]).toEqual([413, "application/problem+json"]);
  expect(await answer.json()).toMatchObject({ status: 413, code: "too_large" });
});

test("a WebSocket that asks for a subprotocol which is not spoken is refused", async () => {
  const { port } = await start();
  const client = await openRaw(port, { "sec-websocket-protocol": "vedette.msgpack.v2" });
  client.end();
  expect(client.received().split("\r\n", 1)[0]).toStartWith("HTTP/1.1 400");
  expect(client.received().toLowerCase()).not.toContain("sec-websocket-protocol: vedette");
});
