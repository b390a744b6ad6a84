/** A partition that comes from another process: what was said of its keys is heard before its first record. */
import { expect, test } from "bun:test";
import { encode } from "@msgpack/msgpack";
import { z } from "zod";
import { message } from "../../../../protocols/message.ts";
import { topic } from "../../../../protocols/topic.ts";
import { actor } from "../../../../runtime/actor.ts";
import { createMemoryBroker, type MemoryBus } from "../../../../runtime/bus-memory.ts";
import { partitionOf } from "../../../../runtime/partition.ts";
import { createMemoryStore } from "../../../../runtime/store-memory.ts";
import { stageTaking } from "../../../../runtime/tree.ts";
import { aSystem } from "../../../support/system.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const Asked = message("asked", "Work of a test", { key: z.string(), nth: z.int() });
const Answered = message("answered", "What came of it", { key: z.string(), nth: z.int() });
type Asked = { readonly type: "asked"; readonly key: string; readonly nth: number };
type Answered = { readonly type: "answered"; readonly key: string; readonly nth: number };

const common = { doc: "", retentionMs: 3_600_000, maxBytes: 10_000, keyOf: ({ key }: { key: string }) => key };
const asks = topic({
  ...common,
  name: "asks",
  messages: [Asked],
  partitions: 4,
  group: "workers",
  idOf: ({ key, nth }) => `${key}${nth}`,
});
/** As many partitions as the source has, and another number: keys lie elsewhere then. */
const answersOf = (partitions: number) =>
  topic({ ...common, name: "answers", messages: [Answered], partitions, group: null, idOf: ({ key, nth }) => `${key}${nth}` });

const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];

const aWorld = async (partitions: number) => {
  const clock = virtualClock();
  const defer = (run: () => void) => void clock.after(0, run);
  const broker = createMemoryBroker({ clock, defer });
  const store = createMemoryStore({ clock, defer });
  const source = broker.open();
  const answers = answersOf(partitions);
  const run = async (work: Promise<unknown>) => {
    await clock.advance(50);
    await work;
  };
  await run(source.ensure([asks, answers]));

  /** One process; `heard` has what its worker heard, in order. */
  const start = async (isShared = true) => {
    const heard: string[] = [];
    const bus: MemoryBus = broker.open();
    const worker = actor<
      null,
      Set<string>,
      Asked | Answered | { type: "gone"; partitions: number[] },
      Answered,
      readonly Answered[]
    >({
      name: "worker",
      mailbox: { capacity: 4, overflow: "pause-source" },
      load: (_args, { recent }) => recent(answers, 0),
      adopt: (_args, { recent }) => recent(answers, 0),
      part: (gone) => ({ type: "gone", partitions: [...gone.partitions] }),
      start(_args, _ctx, known) {
        for (const { key, nth } of known) heard.push(`loaded ${key}${nth}`);
        return new Set();
      },
      on: {
        asked(seen, { key, nth }, ctx) {
          heard.push(`asked ${key}${nth}`);
          ctx.emit({ type: "answered", key, nth });
          return seen;
        },
        answered(seen, { key, nth }) {
          heard.push(`known ${key}${nth}`);
          return seen;
        },
        gone(seen, { partitions: left }) {
          heard.push(...left.map((partition) => `gone ${partition}`));
          return seen;
        },
      },
    });
    const starting = aSystem([stageTaking(asks, worker, { args: null })], {
      ...{ clock, bus, store, isShared },
      topics: [asks, answers],
    });
    await run(starting);
    return { heard, bus, ...(await starting) };
  };
  let made = 0;
  return {
    clock,
    start,
    async ask() {
      made++;
      await run(
        source.append(
          keys.map((key) => ({
            topic: "asks",
            key,
            id: `${key}${made}`,
            type: "asked",
            trace: "",
            bytes: encode({ key, nth: made }),
          })),
        ),
      );
      await clock.advance(500);
    },
  };
};

const keysIn = (heard: readonly string[], kind: string) =>
  [...new Set(heard.filter((each) => each.startsWith(kind)).map((each) => each.split(" ")[1]?.[0] ?? ""))].toSorted();

test.each([4, 3])(
  "with %d partitions of answers: each key's answers are known before it is asked again, and only its own",
  async (partitions) => {
    const world = await aWorld(partitions);
    const first = await world.start();
    await world.ask();
    expect(keysIn(first.heard, "asked")).toEqual(keys);
    const second = await world.start();
    await world.clock.advance(2_000);
    await world.ask();
    const moved = keysIn(second.heard, "asked");
    expect(moved.length).toBeGreaterThan(0);
    expect(moved.length).toBeLessThan(keys.length);
    expect(keysIn(second.heard, "known")).toEqual(moved);
    for (const key of moved) expect(second.heard.indexOf(`known ${key}1`)).toBeLessThan(second.heard.indexOf(`asked ${key}2`));
    const left = first.heard.filter((each) => each.startsWith("gone")).map((each) => Number(each.split(" ")[1]));
    expect(moved.every((key) => left.includes(partitionOf(key, 4)))).toBe(true);

    // Its end gives them back, with what was said meanwhile.
    await second[Symbol.asyncDispose]();
    await world.clock.advance(2_000);
    await world.ask();
    for (const key of moved) expect(first.heard).toContain(`known ${key}2`);
    await first[Symbol.asyncDispose]();
  },
);

test("an incarnation after a failure loads what its own partitions have, and nothing of others", async () => {
  const world = await aWorld(4);
  const first = await world.start();
  const second = await world.start();
  await world.clock.advance(2_000);
  await world.ask();
  const mine = keysIn(second.heard, "asked");
  second.system.fail("root/worker", "a drill");
  await world.clock.advance(2_000);
  expect(keysIn(second.heard, "loaded")).toEqual(mine);
  await second[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
});

test("a process alone loads everything and adopts nothing", async () => {
  const world = await aWorld(4);
  const first = await world.start(false);
  await world.ask();
  await first[Symbol.asyncDispose]();
  const second = await world.start(false);
  await world.clock.advance(2_000);
  expect(keysIn(second.heard, "loaded")).toEqual(keys);
  expect(keysIn(second.heard, "known")).toEqual([]);
  await second[Symbol.asyncDispose]();
});
