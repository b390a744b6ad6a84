/** A record that is open whenever the process crashes: delivered alone, then set aside. */
import { expect, test } from "bun:test";
import { z } from "zod";
import { createCodec } from "../../../../protocols/codec.ts";
import { deadLettersOf } from "../../../../protocols/dead-letter.ts";
import { message } from "../../../../protocols/message.ts";
import { topic } from "../../../../protocols/topic.ts";
import { actor } from "../../../../runtime/actor.ts";
import { createMemoryBroker } from "../../../../runtime/bus-memory.ts";
import { recentMessages } from "../../../../runtime/recent.ts";
import { createMemoryStore } from "../../../../runtime/store-memory.ts";
import { stageTaking } from "../../../../runtime/tree.ts";
import { aSystem } from "../../../support/system.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const Job = message("job", "Work of a test", { id: z.string(), crashes: z.boolean() });
const jobs = topic({
  name: "jobs",
  doc: "Work of a test",
  messages: [Job],
  partitions: 1,
  retentionMs: 3_600_000,
  maxBytes: 10_000,
  group: "workers",
  keyOf: () => "one",
  idOf: ({ id }) => id,
});
const dead = deadLettersOf(jobs);
const codec = createCodec([...jobs.messages, ...dead.messages]);

/** A world that outlives its processes, in which each process works until a job crashes it. */
const aWorld = async () => {
  const clock = virtualClock();
  const defer = (run: () => void) => void clock.after(0, run);
  const broker = createMemoryBroker({ clock, defer });
  const store = createMemoryStore({ clock, defer });
  const source = broker.open();
  const ensured = source.ensure([jobs, dead]);
  await clock.advance(1);
  await ensured;
  return {
    store,
    async append(...ids: string[]) {
      const appended = source.append(
        ids.map((id) => ({
          topic: "jobs",
          key: "one",
          id,
          type: "job",
          trace: "",
          bytes: codec.encode({ type: "job", id, crashes: id.startsWith("poison") } as never),
        })),
      );
      await clock.advance(10);
      await appended;
    },
    /** What it heard before it crashed, or came to rest; `ends` says how it ends then. */
    async process(ends: "crash" | "stop"): Promise<string[]> {
      const heard: string[] = [];
      const bus = broker.open();
      const worker = actor<undefined, null, { readonly type: "job"; readonly id: string; readonly crashes: boolean }>({
        name: "worker",
        mailbox: { capacity: 64, overflow: "pause-source" },
        start: () => null,
        on: {
          job: (state, { id, crashes }, { pipe }) => {
            heard.push(id);
            if (crashes) {
              // Held for ever, as by a process that is gone a moment later.
              pipe(
                () => new Promise<never>(() => {}),
                () => ({ type: "job", id, crashes: false }),
                () => ({ type: "job", id, crashes: false }),
              );
            }
            return state;
          },
        },
      });
      const ensured = bus.ensure([jobs, dead]);
      await clock.advance(1);
      await ensured;
      const starting = aSystem([stageTaking(jobs as never, worker, { args: undefined })], {
        topics: [jobs as never, dead as never],
        bus,
        store,
        clock,
      });
      await clock.advance(50);
      const it = await starting;
      await clock.advance(5_000);
      if (ends === "crash") bus.crash();
      else {
        const stopped = it.system.stop("in order", 1_000);
        await clock.advance(5_000);
        await stopped;
      }
      return heard;
    },
    async deadLetters(): Promise<string[]> {
      const read = recentMessages(source, codec, dead, 0);
      await clock.advance(10);
      return (await read).map(({ id, disposition }) => `${id} ${disposition}`);
    },
  };
};

test("what was open in three crashes is delivered alone three times, and then set aside; nothing else is lost", async () => {
  const world = await aWorld();
  await world.append("a", "poison", "b", "c");
  const together = ["poison", "b", "c"];
  expect(await world.process("crash")).toEqual(["a", ...together]);
  for (let crashes = 1; crashes < 3; crashes++) expect(await world.process("crash")).toEqual(together);
  for (let tries = 0; tries < 3; tries++) expect(await world.process("crash")).toEqual(["poison"]);
  expect(await world.deadLetters()).toEqual([]);
  expect(await world.process("stop")).toEqual(["b", "c"]);
  expect(await world.deadLetters()).toEqual(["poison exhausted"]);
  expect(await world.process("stop")).toEqual([]);
});

test("an orderly stop between crashes begins the count anew", async () => {
  const world = await aWorld();
  await world.append("poison", "b");
  for (let crashes = 0; crashes < 3; crashes++) await world.process("crash");
  await world.process("stop");
  for (let crashes = 0; crashes < 3; crashes++) expect(await world.process("crash")).toEqual(["poison", "b"]);
});

test("crashes of an idle process make nobody suspect for good: the next record is tried alone, and done", async () => {
  const world = await aWorld();
  for (let crashes = 0; crashes < 9; crashes++) await world.process("crash");
  await world.append("a", "b");
  expect(await world.process("stop")).toEqual(["a", "b"]);
  expect(await world.deadLetters()).toEqual([]);
});

test("a store that is away suspects nobody", async () => {
  const world = await aWorld();
  world.store.away();
  await world.append("poison", "b");
  for (let crashes = 0; crashes < 8; crashes++) expect(await world.process("crash")).toEqual(["poison", "b"]);
});

test("a damaged note suspects nobody, and is written anew", async () => {
  const world = await aWorld();
  await world.append("poison", "b");
  await world.process("crash");
  const put = world.store.put([{ key: "open:workers:jobs/0", bytes: new Uint8Array([1, 2, 3]), ttlMs: 60_000 }]);
  for (let crashes = 0; crashes < 3; crashes++) expect(await world.process("crash")).toEqual(["poison", "b"]);
  await put;
});
