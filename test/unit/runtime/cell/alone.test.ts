/** One cell without its supervisor: what it takes, and what it does with what it holds, in each of its states. */
import { expect, test } from "bun:test";
import { type AnyDefinition, Cell } from "../../../../runtime/cell.ts";
import type { Envelope } from "../../../../runtime/envelope.ts";
import { reasonOf } from "../../../../runtime/errors.ts";
import type { Lease } from "../../../../runtime/frame-pool.ts";
import { silentObserver } from "../../../../runtime/observer.ts";
import type { CellPorts } from "../../../../runtime/ports.ts";
import type { Cause } from "../../../../runtime/settlement.ts";
import { openCauses } from "../../../support/causes.ts";
import { thrownBy } from "../../../support/thrown.ts";
import { settlePromises, virtualClock } from "../../../support/virtual-clock.ts";

const refusal = async (work: Promise<unknown>) => reasonOf(await thrownBy(work));
const lease = { slot: 1, generation: 1 } as unknown as Lease; // a token here, never looked into

/** A cell in a world that writes down what is asked of it. Turns are taken by `run`. */
const aCell = (rest: Partial<AnyDefinition> = {}) => {
  const clock = virtualClock();
  const did: string[] = [];
  const note = (line: string) => void did.push(line);
  const ports = {
    clock,
    frames: { release: () => note("frame back") },
    observer: {
      ...silentObserver,
      dropped: (actor: string, type: string, reason: string) => note(`${actor} dropped ${type}: ${reason}`),
      failed: (actor: string, type: string, reason: string) => note(`${actor} failed at ${type}: ${reason}`),
    },
    codec: { encode: () => new Uint8Array(1), decode: (type: string) => ({ type }) },
    dispatcher: { ready: () => note("has work"), atMs: () => clock.monotonicMs() },
    deadLetter: (path: string, { type }: Envelope, why: string) => note(`dead letter ${type} of ${path}: ${why}`),
    watches: {
      ended: (path: string) => note(`watchers of ${path} told`),
      leave: () => note("watches nothing more"),
      add: (path: string) => note(`watches ${path}`),
    },
    keyOf: () => "",
    newTrace: () => "trace",
  } as unknown as CellPorts; // all that these cells make use of
  const definition = {
    name: "a",
    mailbox: { capacity: 4, overflow: "pause-source" },
    start: () => "state",
    on: {
      hear: (state: string) => {
        note("heard");
        return state;
      },
      fail: () => {
        throw new Error("as asked");
      },
    },
    ...rest,
  } as AnyDefinition; // its types are erased there as here
  const spec = { definition, args: undefined, tells: new Set<string>() };
  const cell = new Cell("root/a", "7", spec, ports, { cellFailed: ({ reason }) => note(`supervisor told: ${reason}`) });
  const envelope = (type = "hear", causes: readonly Cause[] = []): Envelope => ({
    ...{ type, key: "", trace: "", bytes: new Uint8Array(2), causes, lease: null },
    enqueuedAtMs: clock.monotonicMs(),
  });
  /** Takes turns until there is nothing to do. */
  const run = () => {
    while (cell.step()) note("has more");
  };
  /** What was written down since the last time. */
  const since = () => did.splice(0);
  return { cell, clock, envelope, run, since };
};

test("a cell that runs is not started again, and one that has stopped is started never", async () => {
  const { cell } = aCell();
  await cell.start();
  expect(await refusal(cell.start())).toBe("root/a is running and cannot start");
  await cell.stop("the end");
  expect(await refusal(cell.start())).toBe("root/a is stopped and cannot start");
  expect(cell.state).toBe("stopped");
});

test("before the first start and between incarnations messages wait; notices and answers are for nobody", async () => {
  const { cell, envelope, run, since } = aCell();
  cell.offer(envelope());
  cell.notify(envelope());
  expect([cell.answer(envelope()), cell.step(), since(), cell.state]).toEqual([false, false, [], "starting"]);
  await cell.start();
  run();
  expect(since()).toEqual(["has work", "heard"]);
  await cell.halt("a drill");
  expect([since(), cell.state]).toEqual([["watchers of root/a told"], "failed"]);
  cell.offer(envelope());
  cell.notify(envelope());
  expect([cell.answer(envelope()), cell.step(), since()]).toEqual([false, false, []]);
  await cell.halt("again");
  await cell.start();
  run();
  expect(since()).toEqual(["has work", "heard"]);
  cell.notify(envelope());
  expect(cell.answer(envelope())).toBe(true);
  run();
  expect(since()).toEqual(["has work", "has work", "heard", "has more", "heard"]);
});

test("a cell without work is not called for when it starts", async () => {
  const { cell, since } = aCell();
  await cell.start();
  expect(since()).toEqual([]);
});

test("what a stopped cell is offered is a dead letter; who waits for room in it is woken, once, and finds room", async () => {
  const { cell, envelope, since } = aCell();
  await cell.start();
  for (let count = 0; count < 4; count++) cell.offer(envelope());
  expect(cell.isAboveHighWater()).toBe(true);
  let woken = 0;
  cell.whenBelow(() => woken++);
  since();
  await cell.stop("the end");
  expect([woken, cell.isAboveHighWater()]).toEqual([1, false]);
  const letter = "dead letter hear of root/a: it has stopped";
  expect(since()).toEqual(["watchers of root/a told", letter, letter, letter, letter]);
  cell.offer(envelope());
  cell.notify(envelope());
  await cell.stop("once more");
  await cell.halt("and again");
  expect([since(), cell.state, cell.mailbox().depth, cell.mailbox().dropped]).toEqual([[letter], "stopped", 0, 5]);
});

test("only a mailbox that pauses its source holds others back", async () => {
  const { cell, envelope } = aCell({ mailbox: { capacity: 4, overflow: "drop-newest" } });
  for (let count = 0; count < 4; count++) cell.offer(envelope());
  expect(cell.isAboveHighWater()).toBe(false);
});

test("outcomes that wait when the incarnation ends are delivered again by their causes; later ones too", async () => {
  const { cell, envelope, run, since } = aCell();
  const { causes, ends } = openCauses("waits", "late");
  const [waits, late] = causes.map((cause) => [cause]);
  await cell.start();
  cell.takeOutcome(envelope("hear", waits));
  await cell.halt("a drill");
  cell.takePipeOutcome(() => ({ type: "hear" }), late ?? [], "trace");
  expect(ends).toEqual({
    waits: { reason: "a drill", isOwn: false },
    late: { reason: "the actor that asked for it is gone", isOwn: false },
  });
  await cell.start();
  since();
  run();
  expect(since()).toEqual([]);
});

test("what is let go abandons its causes by name, and gives its frame back", async () => {
  const { cell, envelope, since } = aCell({ mailbox: { capacity: 1, overflow: "drop-newest" } });
  const { causes, ends } = openCauses("one");
  cell.offer(envelope());
  cell.offer({ ...envelope("hear", causes), lease });
  expect(ends).toEqual({ one: { reason: "root/a let it go: full", isOwn: false } });
  expect(since()).toEqual(["root/a dropped hear: full", "frame back"]);
});

test("a handler that throws has its cause repeated as its own failure, and the supervisor is told once", async () => {
  const { cell, envelope, run, since } = aCell();
  const { causes, ends } = openCauses("one", "two");
  await cell.start();
  for (const cause of causes) cell.offer(envelope("fail", [cause]));
  since();
  run();
  run();
  expect(ends).toEqual({ one: { reason: "as asked", isOwn: true } });
  expect(since()).toEqual(["root/a failed at fail: as asked", "watchers of root/a told", "supervisor told: as asked"]);
  expect(cell.mailbox().depth).toBe(1);
});

test("a start that was overtaken by its end says so", async () => {
  const load = Promise.withResolvers<null>();
  const { cell } = aCell({ load: () => load.promise });
  const started = refusal(cell.start());
  await settlePromises();
  await cell.halt("too slow");
  load.resolve(null);
  expect(await started).toBe("root/a was stopped while it started");
});

test("a cell whose start throws waits for another", async () => {
  let isFailing = true;
  const start = () => {
    if (isFailing) throw new Error("not yet");
  };
  const { cell } = aCell({ start });
  expect(await refusal(cell.start())).toBe("not yet");
  expect(cell.state).toBe("failed");
  isFailing = false;
  await cell.start();
  expect(cell.state).toBe("running");
});

test("silence is told to the incarnation in force alone, and to none that has ended", async () => {
  const { cell, clock, run, since } = aCell({ idle: { afterMs: 1_000, message: { type: "hear" } } });
  await cell.start();
  await clock.advance(500);
  await cell.halt("a drill");
  await clock.advance(2_000);
  run();
  expect(since()).toEqual(["watchers of root/a told"]);
  await cell.start();
  await clock.advance(1_000);
  run();
  expect(since()).toEqual(["has work", "heard"]);
  await cell.stop("the end");
  await clock.advance(5_000);
  expect([since(), clock.timers()]).toEqual([["watchers of root/a told"], 0]);
});

test("a cell says how many messages wait, their bytes, and for how long the first one has", async () => {
  const { cell, clock, envelope } = aCell();
  expect(cell.mailbox()).toEqual({ depth: 0, bytes: 0, oldestMs: 0, dropped: 0 });
  await clock.advance(1_000);
  cell.offer(envelope());
  await clock.advance(300);
  cell.offer(envelope());
  expect(cell.mailbox()).toMatchObject({ depth: 2, oldestMs: 300, dropped: 0 });
  expect(cell.isDrained()).toBe(false);
});
