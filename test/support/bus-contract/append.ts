import { expect, test } from "bun:test";
import type { Contract } from "../bus-contract.ts";
import { thrownBy } from "../thrown.ts";
import { appendTexts, keysOf, needed, numbered, opened, textsOf, toy, toyTopic } from "./toys.ts";

export const appendContract = ({ open, lacks }: Contract): void => {
  test("the records of one key keep their order, and their places are those reported", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    const first = await appendTexts(bus, topic, "7", ["a", "b"]);
    const second = await Promise.all(["c", "d", "e"].map((text) => appendTexts(bus, topic, "7", [text])));
    const places = [...first, ...second.flat()];
    const partition = places[0]?.partition ?? -1;

    const records = await bus.read(topic.name, partition, 0, 100);
    expect(textsOf(records)).toEqual(["a", "b", "c", "d", "e"]);
    expect(records.map(({ offset }) => offset)).toEqual(places.map(({ offset }) => offset));
    expect(places.map(({ duplicate }) => duplicate)).toEqual([false, false, false, false, false]);
  });

  test("a record comes back as it was given", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    const given = { ...toy(topic, "ключ", "x", "id-1"), trace: "0af7651916cd43dd8448eb211c80319c" };
    const [place] = await bus.append([given]);
    const [record] = await bus.read(topic.name, place?.partition ?? -1, place?.offset ?? -1, 1);
    const { appendedAtMs, ...rest } = needed(record);
    expect({ ...rest, bytes: [...rest.bytes] }).toEqual({
      ...given,
      bytes: [...given.bytes],
      partition: place?.partition ?? -1,
      offset: place?.offset ?? -1,
    });
    expect(appendedAtMs).toBeGreaterThan(1_600_000_000_000);
  });

  test("only the bytes of a view are stored, as they were when appended", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    const buffer = new TextEncoder().encode("before-this-after");
    const appending = bus.append([{ ...toy(topic, "1", ""), bytes: buffer.subarray(7, 11) }]);
    buffer.fill(0);
    const [place] = await appending;
    expect(textsOf(await bus.read(topic.name, place?.partition ?? -1, 0, 1))).toEqual(["this"]);
  });

  test("a record without bytes is a record", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    const [place] = await appendTexts(bus, topic, "1", ["", "full"]);
    expect(textsOf(await bus.read(topic.name, place?.partition ?? -1, 0, 9))).toEqual(["", "full"]);
  });

  test.skipIf(lacks.includes("unique ids"))("an id is stored once, and its first place is reported again", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    const [first, twin] = await bus.append([toy(topic, "1", "a", "same"), toy(topic, "1", "b", "same")]);
    const [third, fresh] = await bus.append([toy(topic, "1", "c", "same"), toy(topic, "1", "d", "other")]);
    expect(first?.duplicate).toBe(false);
    for (const again of [twin, third]) expect(again).toEqual({ ...needed(first), duplicate: true });
    expect(fresh?.offset).toBe((first?.offset ?? 0) + 1);
    expect(textsOf(await bus.read(topic.name, first?.partition ?? -1, 0, 9))).toEqual(["a", "d"]);
  });

  test.skipIf(lacks.includes("unique ids"))("an id belongs to its topic", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    const other = toyTopic();
    await bus.ensure([other]);
    const places = await bus.append([toy(topic, "1", "a", "same"), toy(other, "1", "b", "same")]);
    expect(places.map(({ duplicate }) => duplicate)).toEqual([false, false]);
  });

  test("a record above its topic's limit is refused, and with it all records of the call", async () => {
    await using under = await opened(open, { maxBytes: 10 });
    const { bus, topic } = under;
    const call = bus.append([toy(topic, "1", "small"), toy(topic, "1", "eleven bytes")]);
    expect(await thrownBy(call)).toMatchObject({ code: "too_large" });
    const [place] = await appendTexts(bus, topic, "1", ["ten bytes!"]);
    expect(textsOf(await bus.read(topic.name, place?.partition ?? -1, 0, 9))).toEqual(["ten bytes!"]);
  });

  test("ensuring a topic twice changes nothing", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    const [place] = await appendTexts(bus, topic, "1", ["a"]);
    await bus.ensure([topic, toyTopic()]);
    expect(textsOf(await bus.read(topic.name, place?.partition ?? -1, 0, 9))).toEqual(["a"]);
  });

  test("read gives at most its limit, from its offset on", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    const [place] = await appendTexts(bus, topic, "1", numbered(10));
    const partition = place?.partition ?? -1;
    expect(textsOf(await bus.read(topic.name, partition, 3, 4))).toEqual(["3", "4", "5", "6"]);
    expect(await bus.read(topic.name, partition, 10, 4)).toEqual([]);
    expect(await bus.read(topic.name, partition, 999, 4)).toEqual([]);
  });

  test("the state of a partition is where it begins and ends", async () => {
    await using under = await opened(open, { partitions: 2 });
    const { bus, topic } = under;
    const [key = ""] = keysOf(2);
    await appendTexts(bus, topic, key, ["a", "b", "c"]);
    expect(await bus.states(topic.name)).toEqual([
      { topic: topic.name, partition: 0, oldest: 0, next: 3 },
      { topic: topic.name, partition: 1, oldest: 0, next: 0 },
    ]);
  });

  test("the end of an empty partition is the offset of any time", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    expect(await bus.offsetAt(topic.name, 0, 0)).toBe(0);
    await appendTexts(bus, topic, "1", ["a", "b"]);
    expect(await bus.offsetAt(topic.name, 0, 0)).toBe(0);
    expect(await bus.offsetAt(topic.name, 0, Number.MAX_SAFE_INTEGER)).toBe(2);
  });
};
