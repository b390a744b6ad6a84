import { expect, test } from "bun:test";
import type { BusRecord, Consumer } from "../../../runtime/bus.ts";
import type { Contract } from "../bus-contract.ts";
import { thrownBy } from "../thrown.ts";
import { within } from "../wait.ts";
import { appendTexts, keysOf, member, needed, numbered, opened, textsOf, toy, untilTexts } from "./toys.ts";

export const consumeContract = ({ open, lacks }: Contract): void => {
  test("a new group starts at the earliest record, a known one where it committed", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", numbered(5));
    const first = member();
    const consumer = await bus.consume(topic.name, "group", first.events);
    expect(first.notes).toEqual([]);
    await untilTexts(first.records, numbered(5));
    await consumer.commit(0, 3);
    await consumer.stop();
    expect(first.notes).toEqual(["assigned 0", "revoked 0"]);
    expect(await bus.committed(topic.name, "group")).toMatchObject({ 0: 3 });

    const second = member();
    const again = await bus.consume(topic.name, "group", second.events);
    await untilTexts(second.records, ["3", "4"]);
    expect(second.assigned).toEqual(new Map([[0, 3]]));
    expect(textsOf(second.records)).toEqual(["3", "4"]);
    await again.stop();
  });

  test("groups do not know each other", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", ["a"]);
    const members = [member(), member()] as const;
    const one = await bus.consume(topic.name, "one", members[0].events);
    const two = await bus.consume(topic.name, "two", members[1].events);
    for (const { records } of members) await untilTexts(records, ["a"]);
    await one.commit(0, 1);
    expect(await bus.committed(topic.name, "two")).toMatchObject({ 0: 0 });
    await Promise.all([one.stop(), two.stop()]);
  });

  test("a committed offset never goes back", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", numbered(5));
    const { events, records } = member();
    const consumer = await bus.consume(topic.name, "group", events);
    await untilTexts(records, numbered(5));
    await Promise.all([consumer.commit(0, 4), consumer.commit(0, 2)]);
    await consumer.commit(0, 1);
    expect(await bus.committed(topic.name, "group")).toMatchObject({ 0: 4 });
    await consumer.stop();
  });

  test("a partition that is not ours cannot be committed", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", ["a"]);
    const { events, records } = member();
    const consumer = await bus.consume(topic.name, "group", events);
    await untilTexts(records, ["a"]);
    await consumer.stop();
    expect(await thrownBy(consumer.commit(0, 1))).toMatchObject({ code: "conflict" });
  });

  test("what was delivered can be committed while the partition is revoked", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", ["a", "b"]);
    const { events, records } = member();
    const consumer: Consumer = await bus.consume(topic.name, "group", {
      ...events,
      revoked: (partition) => consumer.commit(partition, 2),
    });
    await untilTexts(records, ["a", "b"]);
    await consumer.stop();
    expect(await bus.committed(topic.name, "group")).toMatchObject({ 0: 2 });
  });

  test("deliveries wait until the assignment is accepted", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", ["a"]);
    const { events, records, notes } = member();
    const accepted = Promise.withResolvers<void>();
    const consumer = await bus.consume(topic.name, "group", {
      ...events,
      assigned(partition, committed) {
        events.assigned(partition, committed);
        return accepted.promise;
      },
    });
    await within(20_000, "assignment", () => notes.length === 1);
    await bus.states(topic.name);
    expect(records).toEqual([]);
    accepted.resolve();
    await untilTexts(records, ["a"]);
    await consumer.stop();
  });

  test("a paused partition delivers at most a batch more, and goes on in order", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    const reference: BusRecord[] = [];
    const follower = await bus.follow(topic.name, "earliest", (record) => void reference.push(record));
    const { events, records, assigned } = member();
    let pausedAt = -1;
    const consumer: Consumer = await bus.consume(topic.name, "group", {
      ...events,
      record(record) {
        events.record(record);
        if (records.length !== 10) return;
        pausedAt = records.length;
        consumer.pause(0);
      },
    });
    await within(20_000, "assignment", () => assigned.size === 1);
    for (let from = 0; from < 2_000; from += 100) await appendTexts(bus, topic, "1", numbered(100, from));
    await untilTexts(reference, numbered(2_000));
    expect(pausedAt).toBe(10);
    expect(records.length).toBeLessThanOrEqual(10 + 256);
    consumer.resume(0);
    await untilTexts(records, numbered(2_000));
    expect(textsOf(records)).toEqual(numbered(2_000));
    await Promise.all([consumer.stop(), follower.stop()]);
  });

  test("a record whose handler throws is delivered again, in its place", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", ["a", "b", "c"]);
    const { events, records } = member();
    let failures = 0;
    const consumer = await bus.consume(topic.name, "group", {
      ...events,
      record(record) {
        if (record.offset === 1 && failures++ === 0) throw new Error("not this time");
        events.record(record);
      },
    });
    await untilTexts(records, ["a", "b", "c"]);
    expect(textsOf(records)).toEqual(["a", "b", "c"]);
    expect(failures).toBe(2);
    await consumer.stop();
  });

  test.skipIf(lacks.includes("reopen"))(
    "what was not committed is delivered again after a crash; ids are still known",
    async () => {
      await using under = await opened(open, { partitions: 1 });
      const { bus, topic } = under;
      await bus.append(["a", "b", "c", "d"].map((text) => toy(topic, "1", text, `id-${text}`)));
      const before = member();
      const consumer = await bus.consume(topic.name, "group", before.events);
      await untilTexts(before.records, ["a", "b", "c", "d"]);
      await consumer.commit(0, 2);

      const reopened = await needed(under.reopen)();
      await reopened.ensure([topic]);
      const after = member();
      await reopened.consume(topic.name, "group", after.events);
      await untilTexts(after.records, ["c", "d"]);
      expect(textsOf(after.records)).toEqual(["c", "d"]);
      if (!lacks.includes("unique ids")) {
        const [again] = await reopened.append([toy(topic, "1", "a", "id-a")]);
        expect(again).toMatchObject({ offset: 0, duplicate: true });
      }
      expect((await appendTexts(reopened, topic, "1", ["e"]))[0]?.offset).toBe(4);
    },
  );

  test("members that join and leave share the partitions: one owner at a time, no record lost", async () => {
    const partitions = 6;
    await using under = await opened(open, { partitions });
    const { bus, topic } = under;
    const keys = keysOf(partitions);
    const owners = new Map<number, string>();
    const faults: string[] = [];
    const seen = new Map<number, Set<number>>(keys.map((_, partition) => [partition, new Set()]));
    const join = async (name: string): Promise<Consumer> => {
      const consumer: Consumer = await bus.consume(topic.name, "group", {
        assigned(partition) {
          if (owners.has(partition)) faults.push(`${partition} given to ${name}, held by ${owners.get(partition)}`);
          owners.set(partition, name);
        },
        async revoked(partition) {
          const done = Math.max(0, ...needed(seen.get(partition))) + 1;
          if (needed(seen.get(partition)).size > 0) await consumer.commit(partition, done);
          owners.delete(partition);
        },
        record({ partition, offset }) {
          if (owners.get(partition) !== name) faults.push(`${partition}/${offset} delivered to ${name} without ownership`);
          seen.get(partition)?.add(offset);
        },
      });
      return consumer;
    };
    const shares = () =>
      [...new Set(owners.values())].map((name) => [...owners.values()].filter((owner) => owner === name).length).toSorted();
    let count = 0;
    const append = () => Promise.all(keys.map((key) => appendTexts(bus, topic, key, [`${count++}`])));

    const first = await join("first");
    await append();
    const second = await join("second");
    await append();
    const third = await join("third");
    await append();
    await within(20_000, "three equal shares", () => shares().join() === "2,2,2");
    await append();
    await second.stop();
    await append();
    await within(20_000, "two equal shares", () => shares().join() === "3,3");
    await append();
    const fourth = await join("fourth");
    await Promise.all([first.stop(), append()]);
    await within(
      20_000,
      "the fourth in place of the first",
      () => shares().join() === "3,3" && ![...owners.values()].includes("first"),
    );
    await append();

    await within(20_000, "every record", () => [...seen.values()].every(({ size }) => size === 8));
    expect(faults).toEqual([]);
    expect(count).toBe(8 * partitions);
    await Promise.all([third.stop(), fourth.stop()]);
    expect(owners.size).toBe(0);
  });

  test("each member is told all that it holds once it is shared out, and what another may have held", async () => {
    await using under = await opened(open, { partitions: 4 });
    const { bus, topic } = under;
    const join = async () => {
      const { events, assigned } = member();
      const told: { readonly partitions: readonly number[]; readonly broken: readonly number[]; readonly held: number }[] = [];
      const consumer = await bus.consume(topic.name, "group", {
        ...events,
        assignment: (partitions, broken) => void told.push({ partitions, broken, held: assigned.size }),
      });
      const last = () => told.at(-1)?.partitions.join("") ?? "nothing";
      return { consumer, told, last };
    };
    const first = await join();
    await within(20_000, "all at the first", () => first.last() === "0123");
    expect(first.told.at(-1)?.broken).toEqual([0, 1, 2, 3]);
    const second = await join();
    await within(20_000, "half at each", () => first.last().length === 2 && second.last().length === 2);
    expect([...first.last(), ...second.last()].toSorted().join("")).toBe("0123");
    expect(first.told.at(-1)?.broken).toEqual([]);
    const came = [...(second.told.at(-1)?.partitions ?? [])];
    await second.consumer.stop();
    await within(20_000, "all at the first again", () => first.last() === "0123");
    expect(first.told.at(-1)?.broken).toEqual(came);
    for (const { partitions, held } of [...first.told, ...second.told]) expect(held).toBe(partitions.length);
    await first.consumer.stop();
  });
};
