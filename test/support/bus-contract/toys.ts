/** Toy topics and records for the bus contract. Each test has a topic of its own, so a real broker may be shared. */
import { z } from "zod";
import { message } from "../../../protocols/message.ts";
import type { TopicDefinition } from "../../../protocols/topic.ts";
import type { Appended, Bus, BusRecord, Outgoing } from "../../../runtime/bus.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { partitionOf } from "../../../runtime/partition.ts";
import { systemRandom, uuidV7 } from "../../../runtime/random.ts";
import type { BusUnderTest } from "../bus-contract.ts";
import { within } from "../wait.ts";

const Toy = message("toy", "A toy.", { text: z.string() });

export const unique = (): string => uuidV7(systemClock.nowMs(), systemRandom);

export const toyTopic = (overrides: Partial<TopicDefinition<never>> = {}): TopicDefinition<never> => ({
  name: `contract-${unique()}`,
  doc: "A topic of one test.",
  messages: [Toy],
  partitions: 4,
  retentionMs: 3_600_000,
  maxBytes: 4_096,
  group: null,
  keyOf: () => "",
  idOf: () => "",
  ...overrides,
});

/** A key of each partition. */
export const keysOf = (partitions: number): readonly string[] => {
  const keys: string[] = [];
  for (let number = 0; keys.filter(Boolean).length < partitions; number++)
    keys[partitionOf(String(number), partitions)] ??= String(number);
  return keys;
};

export const toy = (topic: TopicDefinition<never>, key: string, text: string, id = `${text}-${unique()}`): Outgoing => ({
  topic: topic.name,
  key,
  id,
  type: "toy",
  trace: "00000000000000000000000000000001",
  bytes: new TextEncoder().encode(text),
});

export const textOf = ({ bytes }: BusRecord): string => new TextDecoder().decode(bytes);
export const textsOf = (records: readonly BusRecord[]): readonly string[] => records.map(textOf);
export const numbered = (count: number, from = 0): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${from + index}`);

/** Appends a text after the other under one key, all in one call. */
export const appendTexts = (
  bus: Bus,
  topic: TopicDefinition<never>,
  key: string,
  texts: readonly string[],
): Promise<readonly Appended[]> => bus.append(texts.map((text) => toy(topic, key, text)));

/** A member of a group that notes what happens to it. */
export const member = () => {
  const assigned = new Map<number, number>();
  const records: BusRecord[] = [];
  const notes: string[] = [];
  return {
    records,
    /** The committed offset of each partition held. */
    assigned,
    notes,
    events: {
      assigned(partition: number, committed: number) {
        assigned.set(partition, committed);
        notes.push(`assigned ${partition}`);
      },
      revoked(partition: number) {
        assigned.delete(partition);
        notes.push(`revoked ${partition}`);
      },
      record(record: BusRecord) {
        records.push(record);
      },
    },
  };
};

export const untilTexts = (records: readonly BusRecord[], texts: readonly string[]): Promise<true> =>
  within(20_000, `${texts.length} records, the last ${texts.at(-1)}`, () => records.length >= texts.length);

/** Opens a driver with one topic for one test. */
export const opened = async (open: () => Promise<BusUnderTest>, overrides: Partial<TopicDefinition<never>> = {}) => {
  const under = await open();
  const topic = toyTopic(overrides);
  await under.bus.ensure([topic]);
  return { ...under, topic, [Symbol.asyncDispose]: under.dispose };
};

/** The part of a driver that a test cannot do without. */
export const needed = <Part>(part: Part | undefined): Part => {
  if (part === undefined) throw new Error("the driver does not offer what it does not lack");
  return part;
};
