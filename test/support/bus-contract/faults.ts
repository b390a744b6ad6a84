import { expect, test } from "bun:test";
import type { Contract } from "../bus-contract.ts";
import { thrownBy } from "../thrown.ts";
import { appendTexts, member, needed, numbered, opened, textsOf, toy, unique, untilTexts } from "./toys.ts";

export const faultContract = ({ open, lacks }: Contract): void => {
  test("a topic that was not ensured is refused", async () => {
    await using under = await opened(open);
    const { bus, topic } = under;
    const unknown = { ...topic, name: `unknown-${unique()}` };
    expect(await thrownBy(bus.append([toy(unknown, "1", "a")]))).toMatchObject({ code: "not_found" });
    expect(await thrownBy(bus.consume(unknown.name, "group", member().events))).toMatchObject({ code: "not_found" });
  });

  test("closing waits for the appends in progress; afterwards appends are refused", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    const acknowledged: string[] = [];
    const appends = numbered(200).map((text) => appendTexts(bus, topic, "1", [text]).then(() => acknowledged.push(text)));
    await bus.close();
    await Promise.all(appends);
    expect(acknowledged).toEqual([...numbered(200)]);
    expect(await thrownBy(appendTexts(bus, topic, "1", ["late"]))).toMatchObject({ code: "unavailable" });
    expect(bus.health().status).toBe("away");
  });

  test("closing stops the consumers", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    await appendTexts(bus, topic, "1", ["a"]);
    const { events, records, notes } = member();
    await bus.consume(topic.name, "group", events);
    await untilTexts(records, ["a"]);
    await bus.close();
    expect(notes).toEqual(["assigned 0", "revoked 0"]);
  });

  test.skipIf(lacks.includes("away"))("while the bus is away appends fail; back, it goes on where it was", async () => {
    await using under = await opened(open, { partitions: 1 });
    const { bus, topic } = under;
    const { events, records } = member();
    const consumer = await bus.consume(topic.name, "group", events);
    await appendTexts(bus, topic, "1", ["before"]);
    await untilTexts(records, ["before"]);
    expect(bus.health().status).toBe("up");

    await needed(under.away)();
    expect(await thrownBy(appendTexts(bus, topic, "1", ["lost"]))).toMatchObject({ code: "unavailable", retryable: true });
    expect(await thrownBy(consumer.commit(0, 1))).toMatchObject({ code: "unavailable" });
    expect(bus.health().status).toBe("away");

    await needed(under.back)();
    await appendTexts(bus, topic, "1", ["after"]);
    await untilTexts(records, ["before", "after"]);
    expect(textsOf(records)).toEqual(["before", "after"]);
    await consumer.commit(0, 2);
    expect(bus.health().status).toBe("up");
    await consumer.stop();
  });

  test.skipIf(lacks.includes("away") || lacks.includes("unique ids"))(
    "an append that failed may be tried again: its records are stored once",
    async () => {
      await using under = await opened(open, { partitions: 1 });
      const { bus, topic } = under;
      const records = numbered(20).map((text) => toy(topic, "1", text));
      const first = bus.append(records).catch(() => {});
      await needed(under.away)();
      await first;
      await needed(under.back)();
      await bus.append(records);
      expect(textsOf(await bus.read(topic.name, 0, 0, 100))).toEqual(numbered(20));
    },
  );
};
