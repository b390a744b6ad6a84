import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { seededRandom } from "../../runtime/random.ts";
import { type LlmSimOptions, startLlmSim } from "../../tools/llm-sim/server.ts";
import { virtualClock } from "../support/virtual-clock.ts";
import { within } from "../support/wait.ts";

const question = { model: "sim-vl", messages: [{ role: "user", content: "groupIndex=2\nObject ids that may be used: [4,5]" }] };

const post = (url: string, key: string | null = "sk-0001", body: unknown = question, init: RequestInit = {}) =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  });

const errorOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { message: string; code: string } };
  return { status: response.status, ...error };
};

const start = (options: LlmSimOptions = {}) => startLlmSim({ latencyMs: [0, 0], ...options });

describe("the endpoint", () => {
  test("answers in the form of a chat completion, with usage", async () => {
    await using sim = await start({ level: "high" });
    const response = await post(sim.url);
    const answer = (await response.json()) as {
      choices: { message: { content: string } }[];
      usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
    };
    const content = answer.choices[0]?.message.content ?? "";
    expect(response.status).toBe(200);
    expect(answer).toMatchObject({
      object: "chat.completion",
      model: "sim-vl",
      choices: [{ index: 0, message: { role: "assistant" }, finish_reason: "stop" }],
    });
    expect(JSON.parse(content)).toMatchObject({
      verdict: "confirmed",
      riskLevel: "high",
      hazards: [{ type: "collision course", objectIds: [4, 5] }],
      description: "llm-sim: group 2 is dangerous: a collision is imminent.",
    });
    const completionTokens = Math.ceil(content.length / 4);
    expect(answer.usage).toEqual({
      prompt_tokens: 12,
      completion_tokens: completionTokens,
      total_tokens: 12 + completionTokens,
    });
  });

  test("tells whoever starts it of each call: for whom, and whether the answer was waited for", async () => {
    const calls: string[] = [];
    await using sim = await start({
      latencyMs: [300, 300],
      called: ({ requestId, outcome }) => calls.push(`${requestId} ${outcome}`),
    });
    const named = (id: string, key: string | null, init: RequestInit = {}) =>
      post(sim.url, key, question, {
        headers: { "x-client-request-id": id, ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
        ...init,
      });
    await (await named("a", "sk-0001")).text();
    await (await named("b", null)).text();
    const controller = new AbortController();
    const cut = named("c", "sk-0001", { signal: controller.signal }).catch(() => "cut");
    await within(20_000, "a request under way", () => sim.stats().requests === 3);
    controller.abort();
    await cut;
    await within(20_000, "three calls", () => calls.length === 3);
    expect(calls).toEqual(["a answered", "b refused", "c cut"]);
  });

  test("counts, with keys by their last four characters", async () => {
    await using sim = await start();
    for (const key of ["sk-secret-0001", "sk-secret-0001", "sk-secret-0002", null]) await (await post(sim.url, key)).text();
    const stats = (await (await fetch(`${sim.url}/stats`)).json()) as ReturnType<typeof sim.stats>;
    expect(stats).toEqual({
      requests: 4,
      ok: 3,
      rejected: 1,
      violations: 0,
      maxInFlight: 1,
      byKey: { "0001": 2, "0002": 1, none: 1 },
    });
    expect(sim.stats()).toEqual(stats);
  });

  test("lists models to those with a key", async () => {
    await using sim = await start({ accounts: { a: ["k1"] } });
    const get = (key: string) => fetch(`${sim.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    expect(await (await get("k1")).json()).toMatchObject({
      object: "list",
      data: [{ id: "qwen-vl-plus", object: "model" }, {}, {}],
    });
    expect((await get("k2")).status).toBe(401);
  });

  test.each([
    ["no JSON", "{", 400],
    ["no messages", { model: "m", messages: [] }, 400],
    ["no model", { messages: question.messages }, 400],
    ["a wish for a stream", { ...question, stream: true }, 400],
    ["more than 4 MiB", "x".repeat(4 * 1024 * 1024 + 1), 413],
  ])("refuses a body with %s", async (_what, body, status) => {
    await using sim = await start();
    const response = await post(sim.url, "sk-0001", body);
    expect(response.status).toBe(status);
    await response.text();
    // It goes on serving.
    expect((await post(sim.url)).status).toBe(200);
  });

  test("says what it serves when asked for something else", async () => {
    await using sim = await start();
    const answers = [await fetch(`${sim.url}/v1/completions`), await fetch(`${sim.url}/v1/chat/completions`)];
    for (const answer of answers)
      expect(await errorOf(answer)).toMatchObject({ status: 404, message: expect.stringContaining("POST /v1/chat/completions") });
  });
});

describe("limits", () => {
  test("are those of an account, whatever its keys, and end with time", async () => {
    const clock = virtualClock();
    await using sim = await start({ rps: 2, accounts: { a: ["k1", "k2"], b: ["k3"] }, clock });
    const ask = async (key: string) => {
      let done = false;
      const answer = post(sim.url, key).finally(() => {
        done = true;
      });
      await within(20_000, "the answer", async () => {
        await clock.advance(0);
        return done;
      });
      return answer;
    };
    expect([(await ask("k1")).status, (await ask("k2")).status]).toEqual([200, 200]);
    const over = await ask("k1");
    expect(over.headers.get("retry-after")).toBe("1");
    expect(await errorOf(over)).toMatchObject({
      status: 429,
      message: expect.stringContaining("Request rate increased too quickly"),
    });
    expect([(await ask("k3")).status, (await ask("k9")).status]).toEqual([200, 401]);
    await clock.advance(1_000);
    expect([(await ask("k1")).status, (await ask("k2")).status]).toEqual([200, 200]);
    expect(await errorOf(await ask("k2"))).toMatchObject({
      status: 429,
      message: expect.stringContaining("Requests rate limit exceeded"),
    });
    expect(sim.stats()).toMatchObject({ requests: 8, ok: 5, rejected: 3, violations: 2 });
  });

  test("count tokens", async () => {
    await using sim = await start({ tpm: 150 });
    expect((await post(sim.url)).status).toBe(200);
    const over = await post(sim.url);
    expect(Number(over.headers.get("retry-after"))).toBeGreaterThan(50);
    expect(await errorOf(over)).toMatchObject({ status: 429, message: expect.stringContaining("Allocated quota exceeded") });
    expect(sim.stats()).toMatchObject({ ok: 1, rejected: 1, violations: 1 });
  });
});

describe("profiles", () => {
  test("429 refuses every second request, with three texts in turn", async () => {
    await using sim = await start({ profile: "429" });
    const statuses: number[] = [];
    const texts: string[] = [];
    for (let count = 0; count < 6; count++) {
      const response = await post(sim.url);
      statuses.push(response.status);
      if (!response.ok) texts.push((await errorOf(response)).message.split(/[,.]/, 1)[0] ?? "");
    }
    expect(statuses).toEqual([200, 429, 200, 429, 200, 429]);
    expect(texts).toEqual(["Requests rate limit exceeded", "Allocated quota exceeded", "Request rate increased too quickly"]);
    expect(sim.stats()).toMatchObject({ ok: 3, rejected: 3, violations: 0 });
  });

  test("5xx fails every request", async () => {
    await using sim = await start({ profile: "5xx" });
    const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await post(sim.url)).status));
    expect([...new Set(statuses)].toSorted()).toEqual([500, 502, 503, 504]);
    expect(sim.stats()).toMatchObject({ ok: 0, rejected: 20 });
  });

  test("garbage is the same again with the same seed", async () => {
    const contents = async (seed: number) => {
      await using sim = await start({ profile: "garbage", seed });
      const texts: string[] = [];
      for (let count = 0; count < 12; count++) {
        const { choices } = (await (await post(sim.url)).json()) as { choices: { message: { content: string } }[] };
        texts.push(choices[0]?.message.content ?? "");
      }
      return texts;
    };
    const texts = await contents(3);
    expect(await contents(3)).toEqual(texts);
    expect(await contents(4)).not.toEqual(texts);
    expect(texts.every((text) => text.includes("llm-sim"))).toBe(true);
  });

  test("slow answers after 29 s", async () => {
    const clock = virtualClock();
    await using sim = await start({ profile: "slow", clock });
    const answer = post(sim.url);
    expect(await within(20_000, "a waiting answer", () => clock.nextAtMs())).toBe(29_000);
    await clock.advance(29_000);
    expect((await answer).status).toBe(200);
  });
});

describe("time", () => {
  test("an answer takes a time drawn from the latency", async () => {
    const clock = virtualClock();
    await using sim = await start({ latencyMs: [1_000, 3_000], clock, random: seededRandom(5) });
    const answers = Array.from({ length: 20 }, () => post(sim.url));
    await within(20_000, "all to wait", () => clock.timers() === 20);
    const firstAtMs = clock.nextAtMs() ?? 0;
    await clock.advance(999);
    expect(sim.stats()).toMatchObject({ ok: 0, maxInFlight: 20 });
    await clock.advance(2_001);
    expect((await Promise.all(answers)).every(({ status }) => status === 200)).toBe(true);
    expect(firstAtMs).toBeGreaterThanOrEqual(1_000);
    expect(firstAtMs).toBeLessThan(1_500);
  });

  test("a client that goes away is waited for no longer", async () => {
    const clock = virtualClock();
    await using sim = await start({ profile: "slow", clock });
    const leaving = new AbortController();
    const answer = post(sim.url, "sk-0001", question, { signal: leaving.signal }).catch(() => "gone");
    await within(20_000, "a waiting answer", () => clock.timers() === 1);
    leaving.abort();
    expect(await answer).toBe("gone");
    await within(20_000, "the end of the wait", () => clock.timers() === 0);
    expect(sim.stats()).toMatchObject({ requests: 1, ok: 0, rejected: 0 });
  });

  test("stopping ends what waits", async () => {
    const clock = virtualClock();
    const sim = await start({ profile: "slow", clock });
    const answer = post(sim.url).catch(() => "cut");
    await within(20_000, "a waiting answer", () => clock.timers() === 1);
    await sim.stop();
    await answer;
    expect(clock.timers()).toBe(0);
    await expect(fetch(`${sim.url}/stats`)).rejects.toThrow();
  });

  test("a taken port is refused", async () => {
    await using sim = await start();
    await expect(start({ port: sim.port })).rejects.toThrow();
  });
});

describe("the command", () => {
  const root = join(import.meta.dir, "../..");
  const spawn = (...args: string[]) =>
    Bun.spawn([process.execPath, join(root, "tools/llm-sim.ts"), ...args], { cwd: root, stdout: "pipe", stderr: "pipe" });

  const signals = process.platform === "win32" ? [] : (["SIGINT", "SIGTERM"] as const);
  test.each(signals)("prints its base URL, serves, and ends with 0 at %s", async (signal) => {
    await using child = spawn("--level", "low", "--profile", "slow");
    const reader = child.stdout.getReader();
    const line = new TextDecoder().decode((await reader.read()).value);
    const base = /^llm-sim: base URL (http:\/\/127\.0\.0\.1:\d+)\/v1\n$/.exec(line)?.[1] ?? "";
    const answer = post(base).catch(() => "cut");
    await within(20_000, "a request under way", async () => {
      const { maxInFlight } = (await (await fetch(`${base}/stats`)).json()) as { maxInFlight: number };
      return maxInFlight === 1;
    });
    child.kill(signal);
    expect(await child.exited).toBe(0);
    await answer;
    expect(await new Response(child.stderr).text()).toBe("");
  });

  test.each([
    ["--help tells its options", ["--help"], 0],
    ["a wrong option ends with 64", ["--level", "severe"], 64],
  ] as const)("%s", async (_what, args, status) => {
    await using child = spawn(...args);
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect(await child.exited).toBe(status);
    if (status === 0) expect(out).toContain("--accounts A=K1,K2");
    else expect(err).toMatch(/^llm-sim: --level takes none, low, medium, high, not "severe"[^\n]*\n$/);
  });
});
