import { expect, test } from "bun:test";
import { createLog } from "../../../edge/log.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { Fault } from "../../../runtime/errors.ts";

const captured = (options: { level?: "debug" | "info" | "warn" | "error"; secrets?: string[] } = {}) => {
  const time = { ms: 1_000 };
  const clock: Clock = { nowMs: () => time.ms, monotonicMs: () => time.ms, after: () => () => {} };
  const text: string[] = [];
  const log = createLog({ level: "info", clock, ...options, destination: { write: (line) => void text.push(line) } });
  return { log, time, text, lines: () => text.map((line) => JSON.parse(line)) };
};

test("a line is JSON with level, time, event, the bound fields and its own", () => {
  const { log, lines, text } = captured();
  log.with({ actor: "camera-1" }).info("camera.state", { cameraId: 1, state: "online" });
  expect(lines()).toEqual([
    { level: "info", time: 1_000, event: "camera.state", actor: "camera-1", cameraId: 1, state: "online" },
  ]);
  expect(text[0]).toEndWith("}\n");
});

test("levels below the chosen one are left out", () => {
  const { log, lines } = captured({ level: "warn" });
  log.debug("actor.failed");
  log.info("actor.failed");
  log.warn("actor.failed");
  log.error("actor.failed", { cameraId: 1 });
  expect(lines().map(({ level }) => level)).toEqual(["warn", "error"]);
});

test("no secret reaches a line, wherever it stands", () => {
  const { log, text } = captured({ secrets: ["correct horse"] });
  log.info("llm.failed", {
    apiKey: "plainvalue1",
    nested: { headers: [{ authorization: "plainvalue2" }], url: "rtsp://ops:plainvalue3@10.0.0.9/x" },
    err: new Fault("unavailable", "call with sk-plainvalue4 failed", {
      cause: new Error("Bearer plainvalue5= refused"),
      details: { password: "plainvalue6", text: "said correct horse" },
    }),
    "sk-plainvalue7": 1,
    list: new Map([["token", "Bearer plainvalue8="]]),
  });
  expect(text.join("")).not.toMatch(/plainvalue|correct horse/);
  expect(JSON.parse(text[0] ?? "")).toMatchObject({
    apiKey: "***",
    err: { type: "Fault", code: "unavailable", message: "call with sk-*** failed", cause: { message: "Bearer *** refused" } },
  });
});

test("values of any size and shape make a line of bounded size", () => {
  const { log, lines, text } = captured();
  const cyclic: Record<string, unknown> = {
    big: 10n,
    bytes: new Uint8Array(9),
    long: "x".repeat(100_000),
    many: Array(5_000).fill(1),
  };
  cyclic.self = cyclic;
  log.info("process.start", { cyclic, nothing: undefined, braces: "{%s}" });
  expect(lines()[0]).toMatchObject({ cyclic: { big: "10", bytes: "9 bytes" }, braces: "{%s}" });
  expect((text[0] ?? "").length).toBeLessThan(40_000);
});

test("a repeated warning is held back, counted, and told with the next one", () => {
  const { log, lines, time } = captured();
  for (let turn = 0; turn < 20; turn += 1) log.warn("bus.away", { topic: "incidents" });
  log.warn("bus.away", { topic: "cameras" });
  expect(lines().map(({ topic }) => topic)).toEqual([...Array(5).fill("incidents"), "cameras"]);
  time.ms += 60_000;
  log.warn("bus.away", { topic: "incidents" });
  expect(lines().at(-1)).toMatchObject({ topic: "incidents", suppressed: 15 });
});

test("infos are never held back, and flush tells the counts that are left", () => {
  const { log, lines } = captured();
  for (let turn = 0; turn < 20; turn += 1) {
    log.info("camera.state", { cameraId: 1 });
    log.error("actor.failed", { actor: "detector" });
  }
  log.flush();
  log.flush();
  expect(lines().filter(({ level }) => level === "info")).toHaveLength(20);
  expect(lines().at(-1)).toEqual({ level: "error", time: 1_000, event: "actor.failed", suppressed: 15 });
  expect(lines()).toHaveLength(26);
});
