import { expect, test } from "bun:test";
import fc from "fast-check";
import { systemClock } from "../../../runtime/clock.ts";
import { balance, createConsumerGroup } from "../../../runtime/consumer-group.ts";
import { silentLog } from "../../../runtime/log.ts";
import { thrownBy } from "../../support/thrown.ts";
import { settlePromises, virtualClock } from "../../support/virtual-clock.ts";
import { within } from "../../support/wait.ts";

test("shares are even, every partition has an owner, and none moves without need", () => {
  const names = ["a", "b", "c", "d", "e"] as const;
  const property = fc.property(
    fc.array(fc.option(fc.constantFrom(...names)), { minLength: 1, maxLength: 40 }),
    fc.subarray([...names], { minLength: 1 }),
    (owners, members) => {
      const shared = balance(owners, members);
      const counts = members.map((member) => shared.filter((owner) => owner === member).length);
      expect(shared.every((owner) => owner !== null && members.includes(owner))).toBe(true);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);

      const stayed = shared.filter((owner, partition) => owner === owners[partition]).length;
      const least = Math.floor(owners.length / members.length);
      const larger = owners.length % members.length;
      const owned = members
        .map((member) => owners.filter((owner) => owner === member).length)
        .toSorted((left, right) => right - left);
      const couldStay = owned.reduce((sum, count, index) => sum + Math.min(count, index < larger ? least + 1 : least), 0);
      expect(stayed).toBe(couldStay);
    },
  );
  fc.assert(property, { numRuns: 500 });
});

test("nobody owns anything in an empty group", () => {
  expect(balance(["a", "b"], [])).toEqual([null, null]);
});

const group = (clock = systemClock) => {
  const opened: string[] = [];
  const made = createConsumerGroup({
    topic: "t",
    group: "g",
    partitions: 2,
    committed: async () => 5,
    commit: async () => {},
    open(partition, from) {
      opened.push(`${partition} from ${from}`);
      return { position: () => from + 3, pause() {}, resume() {}, grown() {}, stop() {} };
    },
    clock,
    log: silentLog,
  });
  return { opened, join: made.join };
};

test("a reader starts where the group committed, once the assignment is accepted", async () => {
  const { opened, join } = group();
  const accepted = Promise.withResolvers<void>();
  join({ assigned: () => accepted.promise, revoked() {}, record() {} });
  await settlePromises();
  expect(opened).toEqual([]);
  accepted.resolve();
  await within(20_000, "both readers", () => opened.length === 2);
  expect(opened.toSorted()).toEqual(["0 from 5", "1 from 5"]);
});

test("what was not delivered cannot be committed", async () => {
  const { opened, join } = group();
  const consumer = join({ assigned() {}, revoked() {}, record() {} });
  await within(20_000, "both readers", () => opened.length === 2);
  await consumer.commit(0, 8);
  expect(await thrownBy(consumer.commit(0, 9))).toMatchObject({ message: expect.stringContaining("beyond what was delivered") });
});

test("an assignment that fails is tried again a second later", async () => {
  const clock = virtualClock();
  const { opened, join } = group(clock);
  let failures = 0;
  join({
    assigned(partition) {
      if (partition === 0 && failures++ < 2) throw new Error("not ready");
    },
    revoked() {},
    record() {},
  });
  await clock.advance(900);
  expect(opened).toEqual(["1 from 5"]);
  await clock.advance(1_200);
  expect(opened).toEqual(["1 from 5", "0 from 5"]);
});

test("an owner that does not let go is passed over after ten seconds", async () => {
  const clock = virtualClock();
  const { opened, join } = group(clock);
  const stuck = join({ assigned() {}, revoked: () => new Promise(() => {}), record() {} });
  await clock.advance(0);
  let gone = false;
  void stuck.stop().then(() => {
    gone = true;
  });
  join({ assigned() {}, revoked() {}, record() {} });
  await clock.advance(9_000);
  expect([opened.length, gone]).toEqual([2, false]);
  await clock.advance(2_000);
  expect([opened.length, gone]).toEqual([4, true]);
});

test("leaving while an assignment is not yet accepted does not hang", async () => {
  const { opened, join } = group();
  const consumer = join({ assigned: () => new Promise(() => {}), revoked() {}, record() {} });
  await settlePromises();
  await consumer.stop();
  expect(opened).toEqual([]);
});
