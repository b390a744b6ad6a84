import { expect, test } from "bun:test";
import type { Contract } from "../bus-contract.ts";
import { within } from "../wait.ts";
import { appendTexts, member, needed, numbered, opened, textsOf, toy, untilTexts } from "./toys.ts";

const hourMs = 3_600_000;

export const retentionContract = ({ open, lacks }: Contract): void => {
  test.skipIf(lacks.includes("retention"))("what is older than the topic keeps goes, and its ids; offsets go on", async () => {
    await using under = await opened(open, { partitions: 1, retentionMs: hourMs });
    const { bus, topic } = under;
    await bus.append(numbered(700).map((text) => toy(topic, "1", text, `id-${text}`)));
    await needed(under.age)(0.75 * hourMs);
    await appendTexts(bus, topic, "1", ["young"]);
    await needed(under.age)(0.5 * hourMs);
    await within(20_000, "the old ones gone", async () => (await bus.states(topic.name))[0]?.oldest === 700);
    expect(textsOf(await bus.read(topic.name, 0, 0, 9))).toEqual(["young"]);

    await needed(under.age)(hourMs);
    await within(20_000, "all gone", async () => (await bus.states(topic.name))[0]?.oldest === 701);
    const [place] = await bus.append([toy(topic, "1", "again", "id-0")]);
    expect(place).toMatchObject({ offset: 701, duplicate: false });
  });

  test.skipIf(lacks.includes("retention"))("nothing above the lowest committed offset goes", async () => {
    await using under = await opened(open, { partitions: 1, retentionMs: hourMs });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", numbered(10));
    const [fast, slow] = [member(), member()];
    const one = await bus.consume(topic.name, "fast", fast.events);
    const two = await bus.consume(topic.name, "slow", slow.events);
    await untilTexts(fast.records, numbered(10));
    await untilTexts(slow.records, numbered(10));
    await one.commit(0, 9);
    await two.commit(0, 4);
    await needed(under.age)(2 * hourMs);
    await within(20_000, "what both did gone", async () => (await bus.states(topic.name))[0]?.oldest === 4);
    await two.commit(0, 9);
    await needed(under.age)(hourMs);
    await within(20_000, "the rest gone", async () => (await bus.states(topic.name))[0]?.oldest === 9);
    await Promise.all([one.stop(), two.stop()]);
  });

  test.skipIf(lacks.includes("retention"))("the group a topic is made for counts before it joins", async () => {
    await using under = await opened(open, { partitions: 1, retentionMs: hourMs, group: "late" });
    await using free = await opened(async () => ({ ...under, dispose: async () => {} }), { partitions: 1, retentionMs: hourMs });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", ["a"]);
    await appendTexts(bus, free.topic, "1", ["a"]);
    await needed(under.age)(2 * hourMs);
    await within(20_000, "the unprotected gone", async () => (await bus.states(free.topic.name))[0]?.oldest === 1);
    expect((await bus.states(topic.name))[0]?.oldest).toBe(0);
  });

  test.skipIf(lacks.includes("retention"))("a place is found by time", async () => {
    await using under = await opened(open, { partitions: 1, retentionMs: 24 * hourMs });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", numbered(100));
    await needed(under.age)(hourMs);
    await appendTexts(bus, topic, "1", numbered(100, 100));
    const [old, young] = [(await bus.read(topic.name, 0, 99, 1))[0], (await bus.read(topic.name, 0, 100, 1))[0]];
    const youngAtMs = needed(young).appendedAtMs;
    expect(youngAtMs - needed(old).appendedAtMs).toBeGreaterThanOrEqual(hourMs);
    expect(await bus.offsetAt(topic.name, 0, youngAtMs)).toBe(100);
    expect(await bus.offsetAt(topic.name, 0, needed(old).appendedAtMs + 1)).toBe(100);
    expect(await bus.offsetAt(topic.name, 0, 0)).toBe(0);
    expect(await bus.offsetAt(topic.name, 0, youngAtMs + hourMs)).toBe(200);
  });

  test.skipIf(lacks.includes("compaction"))("a compacted topic keeps the newest record of each key, at any age", async () => {
    await using under = await opened(open, { partitions: 1, retentionMs: null });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", ["a1", "b1"]);
    await appendTexts(bus, topic, "2", ["a2"]);
    await appendTexts(bus, topic, "1", ["c1"]);
    await needed(under.age)(1_000 * hourMs);
    await within(20_000, "the superseded gone", async () => (await bus.read(topic.name, 0, 0, 9)).length === 2);
    expect(textsOf(await bus.read(topic.name, 0, 0, 9))).toEqual(["a2", "c1"]);
    const { events, records } = member();
    const consumer = await bus.consume(topic.name, "group", events);
    await untilTexts(records, ["a2", "c1"]);
    await appendTexts(bus, topic, "2", ["b2"]);
    await untilTexts(records, ["a2", "c1", "b2"]);
    expect(records.map(({ offset }) => offset)).toEqual([2, 3, 4]);
    await consumer.stop();
  });
};
