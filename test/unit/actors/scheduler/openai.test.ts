import { describe, expect, test } from "bun:test";
import { type ChatRequest, callChat, type Fetch } from "../../../../actors/scheduler/openai.ts";
import { settlePromises, virtualClock } from "../../../support/virtual-clock.ts";

const request: ChatRequest = {
  baseUrl: "http://llm.test/v1/",
  apiKey: "sk-secret-key-1",
  model: "qwen-vl-plus",
  system: "be careful",
  user: "what is this? answer in JSON",
  image: new Uint8Array([255, 216, 255]),
  format: "json_object",
  tokensMax: 800,
  timeoutMs: 3_000,
};
const completion = (content: unknown, usage: unknown = { prompt_tokens: 900, completion_tokens: 80 }) =>
  Response.json({ choices: [{ message: { role: "assistant", content } }], usage });

const call = async (respond: Fetch, overrides: Partial<ChatRequest> = {}, signal = new AbortController().signal) =>
  callChat({ fetch: respond, clock: virtualClock() }, { ...request, ...overrides }, signal);

/** What was sent, as the provider sees it. */
const sent = async (overrides: Partial<ChatRequest> = {}) => {
  let seen: { url: string; init: RequestInit } | null = null;
  await call(async (url, init) => {
    seen = { url, init };
    return completion("{}");
  }, overrides);
  const { url, init } = seen as unknown as { url: string; init: RequestInit };
  return { url, headers: new Headers(init.headers), redirect: init.redirect, body: JSON.parse(String(init.body)) };
};

describe("the request", () => {
  test("names the task it is for, where there is one", async () => {
    const named = async (overrides: Partial<ChatRequest>) => (await sent(overrides)).headers.get("x-client-request-id");
    expect([await named({ requestId: "m1_group1" }), await named({})]).toEqual(["m1_group1", null]);
  });

  test("is a chat completion with the picture inline", async () => {
    const { url, headers, redirect, body } = await sent();
    expect([url, headers.get("authorization"), redirect]).toEqual([
      "http://llm.test/v1/chat/completions",
      "Bearer sk-secret-key-1",
      "manual",
    ]);
    expect(body).toEqual({
      model: "qwen-vl-plus",
      temperature: 0,
      max_tokens: 800,
      response_format: { type: "json_object" },
      messages: [
        { role: "system", content: "be careful" },
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "data:image/jpeg;base64,/9j/" } },
            { type: "text", text: "what is this? answer in JSON" },
          ],
        },
      ],
    });
  });
  test("leaves out the picture, JSON mode and the key where there are none", async () => {
    const { headers, body } = await sent({ image: new Uint8Array(), format: "text", apiKey: "" });
    expect(headers.has("authorization")).toBe(false);
    expect(body.response_format).toBeUndefined();
    expect(body.messages[1].content).toEqual([{ type: "text", text: "what is this? answer in JSON" }]);
  });
});

describe("the answer", () => {
  test("is the text, with what it cost", async () => {
    expect(await call(async () => completion('{"riskLevel":"low"}'))).toEqual({
      action: "answer",
      text: '{"riskLevel":"low"}',
      usage: { promptTokens: 900, completionTokens: 80 },
    });
  });
  test("may come in parts, and without usage", async () => {
    expect(
      await call(async () => completion([{ type: "text", text: "a" }, null, { type: "image" }, { text: "b" }], null)),
    ).toEqual({
      action: "answer",
      text: "ab",
      usage: { promptTokens: 0, completionTokens: 0 },
    });
  });
  const bad: readonly [string, () => Response, string][] = [
    ["no JSON", () => new Response("<html>"), "the response is not JSON"],
    ["null", () => Response.json(null), "the response has no text"],
    ["no choices", () => Response.json({ choices: [] }), "the response has no text"],
    ["choices of another kind", () => Response.json({ choices: "none", usage: 3 }), "the response has no text"],
    ["empty text", () => completion("  "), "the response has no text"],
    ["an empty body", () => new Response(null), "the response is not JSON"],
    ["more than 256 KiB", () => completion("x".repeat(1_100_000)), "the response is longer than 256 KiB"],
  ];
  test.each(bad)("E1.10: %s is a bad answer, which is not asked for again", async (_, respond, reason) => {
    expect(await call(async () => respond())).toMatchObject({ action: "bad-answer", reason });
  });
  test("an endless body is cut off, not read to its end", async () => {
    let pulled = 0;
    const body = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
    expect(await call(async () => new Response(body))).toMatchObject({ action: "bad-answer" });
    expect(pulled).toBeLessThan(40);
  });
});

describe("trouble", () => {
  test("no connection", async () => {
    const outcome = await call(() => Promise.reject(new Error("connect ECONNREFUSED sk-secret-key-1")));
    expect(outcome).toEqual({ action: "retry-elsewhere", cause: "connection", reason: "connect ECONNREFUSED ***" });
  });
  test("E3.40: a provider that repeats the key does not make us repeat it", async () => {
    const outcome = await call(async () => Response.json({ error: { message: "bad key sk-secret-key-1" } }, { status: 401 }));
    expect(outcome).toEqual({ action: "park-key", reason: "HTTP 401: bad key ***" });
  });
  test("no answer in time, from a fetch that heeds nothing", async () => {
    const clock = virtualClock();
    const outcome = callChat({ fetch: () => new Promise(() => {}), clock }, request, new AbortController().signal);
    await clock.advance(2_999);
    expect(Bun.peek.status(outcome)).toBe("pending");
    await clock.advance(1);
    expect(await outcome).toEqual({ action: "retry-elsewhere", cause: "timeout", reason: "no answer within 3000 ms" });
  });
  test("a body that stalls counts as no answer in time; the connection is given up", async () => {
    const clock = virtualClock();
    let isGivenUp = false;
    const outcome = callChat(
      {
        fetch: async (_, { signal }) => {
          signal?.addEventListener("abort", () => {
            isGivenUp = true;
          });
          return new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) }));
        },
        clock,
      },
      request,
      new AbortController().signal,
    );
    await clock.advance(3_000);
    expect(await outcome).toMatchObject({ action: "retry-elsewhere", cause: "timeout" });
    expect(isGivenUp).toBe(true);
  });
  test("taken back by us", async () => {
    const controller = new AbortController();
    const outcome = call(() => new Promise(() => {}), {}, controller.signal);
    await settlePromises();
    controller.abort();
    expect(await outcome).toMatchObject({ action: "aborted" });
    expect(await call(async () => completion("x"), {}, controller.signal)).toMatchObject({ action: "aborted" });
  });
  test("no timer and no listener is left behind", async () => {
    const clock = virtualClock();
    await callChat({ fetch: async () => completion("x"), clock }, request, new AbortController().signal);
    expect(clock.timers()).toBe(0);
  });
});
