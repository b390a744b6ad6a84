import { expect, test } from "bun:test";
import { z } from "zod";
import { createCodec } from "../../../protocols/codec.ts";
import { deadLettersOf } from "../../../protocols/dead-letter.ts";
import { type Infer, message } from "../../../protocols/message.ts";
import { topic } from "../../../protocols/topic.ts";
import { type ActorDefinition, actor, addressOf, type Context } from "../../../runtime/actor.ts";
import type { Bus } from "../../../runtime/bus.ts";
import { createMemoryBroker } from "../../../runtime/bus-memory.ts";
import { recentMessages } from "../../../runtime/recent.ts";
import { stageTaking } from "../../../runtime/tree.ts";
import { aSystem } from "../../support/system.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const Job = message("job", "Work of one test.", { number: z.int() });
type Job = Infer<typeof Job>;
type Done = { readonly type: "done"; readonly number: number };

const jobs = topic({
  name: "jobs",
  doc: "Jobs of one test.",
  messages: [Job],
  partitions: 1,
  retentionMs: 3_600_000,
  maxBytes: 65_536,
  group: "jobs",
  keyOf: () => "",
  idOf: ({ number }) => String(number),
});
const dead = deadLettersOf(jobs);
const codec = createCodec([...jobs.messages, ...dead.messages]);

const encoded = (number: number): Uint8Array => {
  const job: Job = { type: "job", number };
  return codec.encode(job);
};

/** Does what the test says of each job, and writes down those it took. */
const worker = (taken: number[], work: (job: Job, ctx: Context<Job | Done>) => void) =>
  actor<null, null, Job | Done>({
    name: "worker",
    mailbox: { capacity: 10, overflow: "pause-source" },
    start: () => null,
    on: {
      job: (state, job, ctx) => {
        taken.push(job.number);
        work(job, ctx);
        return state;
      },
      done: (state) => state,
    },
  });

const running = async (
  definition: ActorDefinition<null, null, Job | Done>,
  clock = virtualClock(),
  bus: Bus = createMemoryBroker({ clock }).open(),
) => {
  await bus.ensure([jobs, dead]);
  const it = await aSystem([stageTaking(jobs, definition, { args: null })], { clock, bus, topics: [jobs] });
  const answer = async <T>(question: Promise<T>): Promise<T> => {
    await it.settle();
    return question;
  };
  return {
    ...it,
    send: (...numbers: number[]) =>
      answer(
        bus.append(
          numbers.map((number) => ({
            topic: jobs.name,
            key: "",
            id: String(number),
            type: "job",
            trace: "",
            bytes: number < 0 ? new Uint8Array([0xc1]) : encoded(number),
          })),
        ),
      ),
    committed: async () => (await answer(bus.committed(jobs.name, "jobs")))[0],
    letters: () => answer(recentMessages(bus, codec, dead, 0)),
    depth: () => it.system.snapshot().children[0]?.mailbox?.depth ?? 0,
  };
};

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const afterSome = (ms: number, number: number, ctx: Context<Job | Done>) =>
  ctx.timers.after(String(number), ms, { type: "done", number });

test("what is committed is the lowest offset that is not settled", async () => {
  await using it = await running(worker([], ({ number }, ctx) => afterSome(number === 1 ? 5_000 : 100, number, ctx)));
  await it.send(0, 1, 2, 3);
  await it.clock.advance(1_000);
  expect(await it.committed()).toBe(1);
  expect(it.system.snapshot().children[0]?.takes).toMatchObject({ topic: "jobs", inWork: 1 });
  await it.clock.advance(5_000);
  expect(await it.committed()).toBe(4);
});

test("a record that the driver could not understand is set aside with the driver's reason, and reaches no actor", async () => {
  const taken: number[] = [];
  const clock = virtualClock();
  const memory = createMemoryBroker({ clock }).open();
  const bus: Bus = {
    ...memory,
    consume: (name, group, events) =>
      memory.consume(name, group, {
        ...events,
        record: (each) => events.record(each.id === "1" ? { ...each, unreadable: "JSON, cameraId: expected number" } : each),
      }),
  };
  await using it = await running(
    worker(taken, () => {}),
    clock,
    bus,
  );
  await it.send(0, 1, 2);
  await it.clock.advance(1_000);
  expect(taken).toEqual([0, 2]);
  expect(await it.letters()).toMatchObject([
    { id: "1", disposition: "poison", reason: "JSON, cameraId: expected number", attempts: 0, value: encoded(1) },
  ]);
  expect(await it.committed()).toBe(3);
});

test("a record that is larger than the dead letters take is set aside without its value, and what follows goes on", async () => {
  const taken: number[] = [];
  const clock = virtualClock();
  const memory = createMemoryBroker({ clock }).open();
  const bytes = new Uint8Array(dead.maxBytes);
  const bus: Bus = {
    ...memory,
    consume: (name, group, events) =>
      memory.consume(name, group, {
        ...events,
        record: (each) => events.record(each.id === "1" ? { ...each, bytes } : each),
      }),
  };
  await using it = await running(
    worker(taken, () => {}),
    clock,
    bus,
  );
  await it.send(0, 1, 2);
  await it.clock.advance(1_000);
  expect(taken).toEqual([0, 2]);
  expect(await it.letters()).toMatchObject([{ id: "1", disposition: "poison", value: new Uint8Array(0) }]);
  expect((await it.letters())[0]?.reason.endsWith(`, its ${bytes.length} bytes are not kept`)).toBe(true);
  expect(await it.committed()).toBe(3);
});

test("a record whose own turn threw three times is set aside with the reason, and then settled", async () => {
  const taken: number[] = [];
  const work = ({ number }: Job) => {
    if (number === 1) throw new Error("this one never works");
  };
  await using it = await running(worker(taken, work));
  await it.send(0, 1, 2);
  await it.clock.advance(20_000);
  expect(taken.filter((number) => number === 1).length).toBe(3);
  expect(await it.letters()).toMatchObject([
    { id: "1", offset: 1, disposition: "poison", reason: "this one never works", attempts: 3 },
  ]);
  expect(await it.committed()).toBe(3);
});

test("a record that cannot be decoded is set aside at once", async () => {
  const taken: number[] = [];
  await using it = await running(worker(taken, () => {}));
  await it.send(0, -1, 2);
  await it.clock.advance(1_000);
  expect(taken).toEqual([0, 2]);
  expect(await it.letters()).toMatchObject([{ offset: 1, disposition: "poison", attempts: 0 }]);
  expect(await it.committed()).toBe(3);
});

test("a restart does not count against the records that it interrupts", async () => {
  const taken: number[] = [];
  await using it = await running(worker(taken, ({ number }, ctx) => afterSome(60_000, number, ctx)));
  await it.send(0);
  for (let time = 0; time < 5; time++) {
    it.system.fail("root/worker", "drill");
    await it.clock.advance(10_000);
  }
  expect(taken.length).toBe(6);
  expect(await it.letters()).toEqual([]);
  await it.clock.advance(60_000);
  expect(await it.committed()).toBe(1);
});

test("records that are delivered again wait for room in the mailbox, and keep their order", async () => {
  const taken: number[] = [];
  let isOpen = true;
  const held = worker(taken, ({ number }, ctx) => afterSome(60_000, number, ctx));
  await using it = await running({ ...held, ready: () => isOpen });
  await it.send(...upTo(40));
  expect(taken).toEqual(upTo(40));
  isOpen = false;
  it.system.fail("root/worker", "drill");
  for (let time = 0; time < 20; time++) {
    await it.clock.advance(1_000);
    expect(it.depth()).toBeLessThanOrEqual(10);
  }
  expect(it.depth()).toBeGreaterThan(0);
  isOpen = true;
  await it.send(40);
  it.system.tell(addressOf<Done>("root/worker"), { type: "done", number: 0 }); // an actor looks at whether it is ready when it hears something
  await it.clock.advance(1_000);
  expect(taken.slice(40)).toEqual(upTo(41));
  await it.clock.advance(70_000);
  expect(await it.committed()).toBe(41);
});
