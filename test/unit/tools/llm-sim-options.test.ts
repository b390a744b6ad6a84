import { describe, expect, test } from "bun:test";
import { parseCommandLine, parseLatency } from "../../../tools/llm-sim/options.ts";

const settingsOf = (line: string) => parseCommandLine(line.split(" ").filter((word) => word !== ""));

describe("the command line", () => {
  test("is read into settings", () => {
    const line =
      "--port 9999 --latency 1-3s --profile slow --rps 20 --rpm 1200 --tps 20000 --tpm 1000000 --jitter 50ms --accounts a=k1,k2;b=k3 --accounts c=k4 --level high --seed 7";
    expect(settingsOf(line)).toEqual({
      kind: "run",
      settings: {
        port: 9_999,
        latencyMs: [1_000, 3_000],
        profile: "slow",
        rps: 20,
        rpm: 1_200,
        tps: 20_000,
        tpm: 1_000_000,
        jitterMs: 50,
        accounts: { a: ["k1", "k2"], b: ["k3"], c: ["k4"] },
        level: "high",
        seed: 7,
      },
    });
  });

  test("may be empty, or ask for help", () => {
    expect(settingsOf("")).toEqual({ kind: "run", settings: {} });
    expect(settingsOf("--port x --help")).toEqual({ kind: "help" });
  });

  test.each([
    ["a port beyond the last", "--port 65536", "--port takes a whole number from 0 to 65535"],
    ["a port that is no number", "--port http", '--port takes a whole number from 0 to 65535, not "http"'],
    ["a profile that there is not", "--profile bad", "--profile takes ok, 429, 5xx, garbage, flood, slow"],
    ["a level that there is not", "--level severe", "--level takes none, low, medium, high"],
    ["a rate of nothing", "--rps 0", "--rps takes a whole number from 1"],
    ["half a request", "--rpm 0.5", "--rpm takes a whole number from 1"],
    ["a jitter that leaves no window", "--jitter 1000ms", "--jitter takes a time up to 900ms"],
    ["a latency without a unit", "--latency 1-3", "--latency takes a time such as"],
    ["an account without keys", "--accounts a=", "--accounts takes a name and its keys"],
    ["an account without a name", "--accounts k1,k2", "--accounts takes a name and its keys"],
    ["a key of two accounts", "--accounts a=k1;b=k1", "a key belongs to one account"],
    ["an account twice", "--accounts a=k1 --accounts a=k2", "names account a twice"],
    ["an option that there is not", "--speed 3", "'--speed'"],
    ["a word that is no option", "start", "'start'"],
    ["an option without its value", "--seed", "'--seed"],
  ])("with %s is refused in one line", (_what, line, says) => {
    const command = settingsOf(line);
    expect(command).toMatchObject({ kind: "refused", says: expect.stringContaining(says) });
    expect(JSON.stringify(command)).not.toContain("\\n");
  });

  test("never repeats keys in a refusal", () => {
    expect(JSON.stringify(settingsOf("--accounts a=sk-1,sk-1"))).not.toContain("sk-1");
    expect(JSON.stringify(settingsOf("--accounts sk-1"))).not.toContain("sk-1");
  });
});

describe("a latency", () => {
  test.each([
    ["200ms", [200, 200]],
    ["1s", [1_000, 1_000]],
    ["0.5s", [500, 500]],
    ["1-3s", [1_000, 3_000]],
    ["200-500ms", [200, 500]],
    ["200ms-1s", [200, 1_000]],
    ["0-0ms", [0, 0]],
  ] as const)("of %s", (text, range) => {
    expect(parseLatency(text)).toEqual({ ok: true, value: range });
  });

  test.each(["", "1", "s", "3-1s", "1s-300ms", "1-2-3s", "-1s", "1 s", "1m", "NaNs", "241s"])("of %p is refused", (text) => {
    expect(parseLatency(text).ok).toBe(false);
  });
});
