/**
 * What a hop, an actor and a timer cost. Goal: small messages through six supervised actors, encoded at every hop, faster than
 * nact passes references; detections of 0.8 KB five times as fast as the library's plain codec at each hop; an idle actor within
 * 1 KB; timers within 5 ms while the loop is saturated. Not asked: topics, frames, failures.
 */
import type { LiveDetection } from "../protocols/detection.ts";
import { seededRandom } from "../runtime/random.ts";
import type { Bench } from "./bench.ts";
import { live } from "./detections.ts";
import type { Contest } from "./harness.ts";
import { crowds, resting, spawning } from "./runtime/crowd.ts";
import { ticking } from "./runtime/lateness.ts";
import { ownRuntime, ownRuntimeOnLibraryCodec } from "./runtime/own.ts";
import { effect, nact, plainCodec, rxjs, xstate } from "./runtime/peers.ts";
import { type Ball, pingPong, pipeline } from "./runtime/ring.ts";

const variants = 64;

const smallMessages = async (): Promise<Contest> => {
  const balls = Array.from({ length: variants }, (_, seq): Ball => ({ type: "bench.small", seq, hop: seq * 3 }));
  const through = pipeline<Ball>(balls, ({ seq, hop }) => seq + hop);
  return {
    unit: "msgs/s",
    size: 5_000,
    isSameForAll: true,
    isPure: true,
    subject: await through(ownRuntime("bench.small")),
    versus: [
      { ...(await through(nact)), target: { of: "ratio", limit: 1 } },
      await through(effect),
      await through(rxjs),
      await through(xstate),
      await through(plainCodec),
    ],
  };
};

const junction = (): readonly LiveDetection[] => {
  const random = seededRandom(8);
  return Array.from({ length: variants }, (_, index) => live(random, index));
};

const detections = async (): Promise<Contest> => {
  const weigh = ({ capturedAt, detectedObjects }: LiveDetection) => (capturedAt % 1_000_000) + (detectedObjects[7]?.trackId ?? 0);
  const through = pipeline<LiveDetection>(junction(), weigh);
  return {
    unit: "msgs/s",
    size: 3_000,
    isSameForAll: true,
    isPure: true,
    subject: await through(ownRuntime("detection_result")),
    versus: [
      { ...(await through(plainCodec)), target: { of: "ratio", limit: 5 } },
      await through(ownRuntimeOnLibraryCodec("detection_result")),
      await through(nact),
      await through(effect),
      await through(rxjs),
      await through(xstate),
    ],
  };
};

const oneMessage = async (): Promise<Contest> => ({
  unit: "round trips/s",
  size: 5_000,
  isSameForAll: true,
  isPure: true,
  subject: await pingPong(ownRuntime("bench.small")),
  versus: [await pingPong(nact), await pingPong(effect), await pingPong(rxjs), await pingPong(xstate)],
});

const timers = (): Contest => ({
  unit: "ms",
  size: 600,
  rounds: 5,
  warmUps: 1,
  subject: ticking("vedette", junction()),
  versus: [ticking("the same with nothing else to do", [])],
  target: { of: "p99", limit: 5 },
});

const [own, ...rivals] = crowds;

const spawned = (): Contest => ({
  unit: "actors/s",
  size: 20_000,
  rounds: 10,
  subject: spawning(own),
  versus: rivals.map(spawning),
});

/** Counted, not timed: the first round is as good as any. */
const idle = { unit: "bytes", size: 100_000, rounds: 3, warmUps: 0 } as const;
const heapAfterMessage = (): Contest => ({
  ...idle,
  subject: resting("heapBytes", true)(own),
  versus: rivals.map(resting("heapBytes", true)),
  target: { of: "median", limit: 1_024 },
});
const heapBeforeMessage = (): Contest => ({ ...idle, subject: resting("heapBytes", false)(own) });
const residentAfterMessage = (): Contest => ({ ...idle, subject: resting("rssBytes", true)(own) });

export const runtime = (): Bench => ({
  name: "runtime",
  notes: [
    "Every message to a Vedette actor is MessagePack bytes in a bounded mailbox under a supervisor; each hop encodes and decodes.",
    "The peers pass references: no encoding, no isolation. Of bounds on waiting messages only effect's queues have one here,",
    "of supervision only nact. xstate and rxjs are as given; xstate runs a receiver inside the send where it can.",
  ],
  contests: [
    { name: "six actors, small messages", open: smallMessages },
    { name: "six actors, 0.8 KB detections", open: detections },
    { name: "two actors, one message to and fro", open: oneMessage },
    { name: "lateness of 20 timers while saturated with detections", open: timers },
    { name: "actors made, 20,000 at a time", open: spawned },
    { name: "heap of an idle actor of 100,000 that heard one message", open: heapAfterMessage },
    { name: "heap of an idle actor of 100,000 that heard none", open: heapBeforeMessage },
    { name: "resident memory of an idle actor of 100,000 that heard one message", open: residentAfterMessage },
  ],
});
