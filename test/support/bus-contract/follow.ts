import { expect, test } from "bun:test";
import type { BusRecord } from "../../../runtime/bus.ts";
import type { Contract } from "../bus-contract.ts";
import { appendTexts, keysOf, numbered, opened, textsOf, untilTexts } from "./toys.ts";

export const followContract = ({ open }: Contract): void => {
  test("a follower from the end sees only what comes after", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", ["before"]);
    const seen: BusRecord[] = [];
    const follower = await bus.follow(topic.name, "end", (record) => void seen.push(record));
    await appendTexts(bus, topic, "1", ["after"]);
    await untilTexts(seen, ["after"]);
    expect(textsOf(seen)).toEqual(["after"]);
    await follower.stop();
  });

  test("a follower from the earliest sees all, of each partition in order", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    const keys = keysOf(4);
    for (const key of keys) await appendTexts(bus, topic, key, numbered(300));
    const seen: BusRecord[] = [];
    const follower = await bus.follow(topic.name, "earliest", (record) => void seen.push(record));
    for (const key of keys) await appendTexts(bus, topic, key, numbered(300, 300));
    await untilTexts(seen, numbered(2_400));
    for (const key of keys) expect(textsOf(seen.filter((record) => record.key === key))).toEqual(numbered(600));
    await follower.stop();
  });

  test("a follower from a position starts there, and at the earliest record of the others", async () => {
    await using under = await opened(open, { partitions: 2 });
    const { bus, topic } = under;
    const [even = "", odd = ""] = keysOf(2);
    await appendTexts(bus, topic, even, ["a", "b", "c"]);
    await appendTexts(bus, topic, odd, ["x", "y"]);
    const seen: BusRecord[] = [];
    const follower = await bus.follow(topic.name, { 0: 2 }, (record) => void seen.push(record));
    await untilTexts(seen, ["c", "x", "y"]);
    expect(textsOf(seen).toSorted()).toEqual(["c", "x", "y"]);
    await follower.stop();
  });

  test("a follower from beyond the end sees what comes after", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", ["before"]);
    const seen: BusRecord[] = [];
    const follower = await bus.follow(topic.name, { 0: 1_000 }, (record) => void seen.push(record));
    await appendTexts(bus, topic, "1", ["after"]);
    await untilTexts(seen, ["after"]);
    expect(textsOf(seen).at(-1)).toBe("after");
    await follower.stop();
  });

  test("a paused follower waits, a stopped one sees nothing more", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    const paused: BusRecord[] = [];
    const running: BusRecord[] = [];
    const first = await bus.follow(topic.name, "earliest", (record) => void paused.push(record));
    const second = await bus.follow(topic.name, "earliest", (record) => void running.push(record));
    first.pause(0);
    await appendTexts(bus, topic, "1", numbered(1_000));
    await untilTexts(running, numbered(1_000));
    expect(paused.length).toBeLessThanOrEqual(256);
    first.resume(0);
    await untilTexts(paused, numbered(1_000));
    expect(textsOf(paused)).toEqual(numbered(1_000));

    await first.stop();
    await appendTexts(bus, topic, "1", ["later"]);
    await untilTexts(running, numbered(1_001));
    expect(paused.length).toBe(1_000);
    await second.stop();
  });
};
