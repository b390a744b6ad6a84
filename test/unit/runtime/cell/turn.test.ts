import { expect, test } from "bun:test";
import type { Tagged } from "../../../../protocols/message.ts";
import { addressOf } from "../../../../runtime/actor.ts";
import { Turn } from "../../../../runtime/cell/turn.ts";
import { type Envelope, noCauses } from "../../../../runtime/envelope.ts";
import type { Lease } from "../../../../runtime/frame-pool.ts";
import { silentLog } from "../../../../runtime/log.ts";
import type { CellPorts } from "../../../../runtime/ports.ts";
import { seededRandom } from "../../../../runtime/random.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const lease = { slot: 1, generation: 1 } as unknown as Lease; // a token here, never looked into
const bytes = new Uint8Array([7]);
const other = addressOf<Tagged>("root/other");
const message: Tagged = { type: "say" };
const inHand = (given: Lease | null = null): Envelope => ({
  type: "say",
  key: "1",
  trace: "trace in hand",
  bytes,
  causes: noCauses,
  lease: given,
  enqueuedAtMs: 0,
});

/** The turn of an actor that was wired to `root/other`, and what it did to the world. */
const aTurn = () => {
  const did: string[] = [];
  const frames = { retain: () => void did.push("retain"), release: () => void did.push("release") };
  const clock = virtualClock();
  const random = seededRandom(1);
  const log = {
    ...silentLog,
    with: (fields: Record<string, unknown>) => {
      did.push(`log of ${fields.actor}`);
      return silentLog;
    },
  };
  const ports = {
    clock,
    random,
    frames,
    log,
    keyOf: ({ type }: Tagged) => `key of ${type}`,
    codec: { encode: () => bytes },
    dispatcher: { atMs: () => 42 },
    newTrace: () => "new trace",
    recordOf: ({ type }: Tagged, trace: string) => ({ topic: "t", key: "", id: "1", type, trace, bytes }),
    startChild: (path: string, key: string, args: unknown) => void did.push(`start ${path} ${key} ${args}`),
    stopChild: (path: string, key: string) => void did.push(`stop ${path} ${key}`),
  } as unknown as CellPorts; // all that a turn makes use of
  const taken: Envelope[] = [];
  const turn: Turn = new Turn({
    path: "root/a",
    key: "7",
    ports,
    tells: new Set(["root/other"]),
    takeIn: (of, envelope) => of === turn && taken.push(envelope) > 0,
  });
  return { turn, did, ports, taken };
};

test("a handler sees its actor, the message in hand and the world", () => {
  const { turn, did, ports } = aTurn();
  turn.open(inHand(lease));
  const { self, key, nowMs, monotonicMs, random, frames, trace } = turn;
  expect({ self, key, trace }).toEqual({ self: { path: "root/a" }, key: "7", trace: "trace in hand" });
  expect([nowMs(), monotonicMs(), random, frames, turn.bytes, turn.lease]).toEqual([
    ports.clock.nowMs(),
    ports.clock.monotonicMs(),
    ports.random,
    ports.frames,
    bytes,
    lease,
  ]);
  expect([turn.log, turn.log]).toEqual([silentLog, silentLog]);
  expect(did).toEqual(["log of root/a"]);
});

test("at its start, and between turns, an actor has no message in hand", () => {
  const { turn } = aTurn();
  for (const envelope of [null, inHand(lease)]) {
    turn.open(envelope);
    turn.close();
    expect([turn.trace, turn.bytes.byteLength, turn.lease]).toEqual(["", 0, null]);
  }
});

test("what a turn asks for is there when it closes, once", () => {
  const { turn, did } = aTurn();
  turn.open(inHand());
  turn.tell(other, message);
  turn.reply(other, message);
  turn.emit(message as never);
  turn.save({ key: "fact", bytes, ttlMs: 1 });
  turn.timers.after("set", 5, message);
  turn.timers.cancel("cancelled");
  turn.watch(other, message);
  turn.unwatch(other);
  turn.startChild(other, "k", "args");
  turn.stopChild(other, "k");
  turn.end();
  const envelope: Envelope = { ...inHand(), key: "key of say", enqueuedAtMs: 42 };
  const asked = turn.close();
  expect(asked?.tells).toEqual([{ path: "root/other", envelope }]);
  expect(asked?.more).toMatchObject({
    replies: [{ path: "root/other", envelope }],
    emits: [{ type: "say", trace: "trace in hand" }],
    facts: [{ key: "fact" }],
    timers: [
      { key: "set", delayMs: 5, envelope },
      { key: "cancelled", delayMs: 0, envelope: null },
    ],
    watches: [
      { path: "root/other", ended: envelope },
      { path: "root/other", ended: null },
    ],
    ends: true,
  });
  expect(did).toEqual([]);
  for (const change of asked?.more?.children ?? []) change();
  expect(did).toEqual(["start root/other k args", "stop root/other k"]);
  turn.open(inHand());
  expect(turn.close()).toBeNull();
});

test("a turn that asks for nothing more than tells has nothing more; it does not end", () => {
  const { turn } = aTurn();
  turn.open(inHand());
  turn.tell(other, message);
  expect(turn.close()?.more).toBeNull();
  turn.open(inHand());
  turn.unwatch(other);
  expect(turn.close()?.more).toEqual({
    ...{ replies: [], emits: [], facts: [], timers: [], pipes: [], children: [], ends: false },
    watches: [{ path: "root/other", ended: null }],
  });
});

test("where no message is in hand, what is asked for begins a trace", () => {
  const { turn } = aTurn();
  turn.open(null);
  turn.tell(other, message);
  turn.emit(message as never);
  const asked = turn.close();
  expect([asked?.tells[0]?.envelope.trace, asked?.more?.emits[0]?.trace]).toEqual(["new trace", "new trace"]);
});

test("a frame that is passed on is retained at once, and released when the turn throws", () => {
  const { turn, did } = aTurn();
  turn.open(inHand());
  turn.tell(other, message);
  expect(did).toEqual([]);
  turn.tell(other, message, lease);
  expect(did).toEqual(["retain"]);
  turn.forget();
  expect(did).toEqual(["retain", "release"]);
  expect(turn.close()).toBeNull();
  turn.open(inHand());
  turn.tell(other, message, lease);
  expect(turn.close()?.tells[0]?.envelope.lease).toBe(lease);
  expect(did).toEqual(["retain", "release", "retain"]);
});

test("nothing can be asked for before the first turn, between turns or after one that threw; only deliver works there", () => {
  const { turn, taken } = aTurn();
  const refused = "root/a asked for something outside of a turn: only deliver works there";
  expect(() => turn.tell(other, message)).toThrow(refused);
  turn.open(inHand());
  turn.close();
  expect(() => turn.end()).toThrow(refused);
  turn.open(inHand());
  turn.forget();
  expect(() => turn.save({ key: "fact", bytes, ttlMs: 1 })).toThrow(refused);
  expect([turn.deliver(message as never), turn.deliver(message as never, lease)]).toEqual([true, true]);
  expect(taken.map((each) => [each.lease, each.trace])).toEqual([
    [null, "new trace"],
    [lease, "new trace"],
  ]);
});

test("a stage that it was not wired to cannot be told anything", () => {
  const { turn } = aTurn();
  turn.open(inHand());
  expect(() => turn.tell(addressOf<Tagged>("root/else"), message)).toThrow(
    'root/a is not wired to root/else: name it in the stage\'s "tells"',
  );
});
