import { expect, test } from "bun:test";
import { asFault } from "../../../../runtime/bus-kafka/faults.ts";
import { createOutage } from "../../../../runtime/bus-kafka/outage.ts";
import { Fault } from "../../../../runtime/errors.ts";
import { type LogFields, silentLog } from "../../../../runtime/log.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const build = () => {
  const clock = virtualClock();
  const lines: string[] = [];
  const say = (level: string) => (event: string, fields?: LogFields) =>
    void lines.push(`${level} ${event} ${fields?.reason ?? fields?.awayMs}`);
  const probesMs: number[] = [];
  let answer: Error | null = new Fault("unavailable", "refused");
  const outage = createOutage({
    clock,
    log: { ...silentLog, info: say("info"), warn: say("warn"), error: say("error") },
    where: "kafka:9092",
    async probe() {
      probesMs.push(clock.monotonicMs());
      if (answer !== null) throw answer;
    },
  });
  return { clock, lines, probesMs, outage, answers: (next: Error | null) => (answer = next) };
};
const gone = new Fault("unavailable", "connection lost");

test("an outage is told of once and each 300 s, probed often at first and then once a minute, and its end says how long it was", async () => {
  const { clock, lines, probesMs, outage, answers } = build();
  outage.failed(gone);
  outage.failed(gone);
  expect(outage.health()).toEqual({
    status: "away",
    detail: "kafka at kafka:9092 is away since 2023-11-14T22:13:20.000Z: connection lost",
  });
  await clock.advance(60_000);
  expect(probesMs.slice(0, 4)).toEqual([1_000, 3_000, 7_000, 12_000]);
  expect(probesMs.length).toBeLessThan(15);
  const firstMinute = probesMs.length;
  await clock.advance(600_000);
  const gapsMs = probesMs.slice(firstMinute + 1).map((atMs, index) => atMs - (probesMs[firstMinute + index] ?? 0));
  expect(gapsMs.every((gapMs) => gapMs >= 60_000)).toBe(true);
  expect(gapsMs.length).toBeGreaterThan(7);
  expect(lines.map((line) => line.split(" ")[0])).toEqual(["warn", "warn", "warn"]);
  answers(null);
  await clock.advance(60_000);
  expect(lines.at(-1)).toMatch(/^info bus\.back \d{6}$/);
  expect(outage.health()).toEqual({ status: "up", detail: "kafka at kafka:9092" });
  expect(clock.timers()).toBe(0);
});

test("while it lasts whoever asks is refused, and whoever waits goes on at its end", async () => {
  const { clock, outage, answers } = build();
  outage.refuse();
  await outage.over();
  outage.failed(gone);
  expect(outage.refuse).toThrow("connection lost");
  let isOver = false;
  void outage.over().then(() => (isOver = true));
  await clock.advance(30_000);
  expect(isOver).toBe(false);
  answers(null);
  await clock.advance(5_000);
  expect(isOver).toBe(true);
  outage.refuse();
});

test("one that comes back at once, as when one broker of several fails, is told of when it lasts", async () => {
  const { clock, lines, outage, answers } = build();
  answers(null);
  outage.failed(gone);
  await clock.advance(1_000);
  outage.failed(gone);
  outage.failed(gone); // another part of the driver
  await clock.advance(1_000);
  expect(lines).toEqual(["warn bus.away connection lost", "info bus.back 1000"]);
  answers(new Fault("unavailable", "refused"));
  outage.failed(gone);
  await clock.advance(1_000);
  expect(lines.at(-1)).toBe("warn bus.away refused");
});

test("a refusal of the broker is an error that is said once, and asked about again", async () => {
  const { clock, lines, outage, answers } = build();
  outage.failed(gone);
  answers(new Fault("conflict", "topic a has 3 partitions, configured are 16"));
  await clock.advance(120_000);
  expect(lines).toEqual(["warn bus.away connection lost", "error bus.away topic a has 3 partitions, configured are 16"]);
  expect(outage.health().detail).toContain("topic a has 3 partitions");
  answers(null);
  await clock.advance(60_000);
  expect(outage.health().status).toBe("up");
  expect(lines.at(-1)).toStartWith("info bus.back");
});

test("a refusal of another kind is no outage, and a closed bus tells of none", async () => {
  const { clock, lines, outage } = build();
  outage.failed(new Fault("too_large", "a record"));
  outage.failed(asFault(Object.assign(new Error("loading"), { type: "GROUP_LOAD_IN_PROGRESS" }), "group g"));
  expect(outage.health().status).toBe("up");
  outage.close();
  outage.failed(gone);
  await clock.advance(10_000);
  expect(lines).toEqual([]);
});
