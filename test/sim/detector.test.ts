/**
 * The detector in the real runtime, with workers that answer, fail, hang, die and come back as a seed says. Whatever happens:
 * a camera's frames reach its lane in order, no two of them are under way at once, every frame ends in one place, and every
 * slot is free again at the end.
 */
import { expect, test } from "bun:test";
import { cocoClasses } from "../../actors/detector/classes.ts";
import { startDetectorPool } from "../../actors/detector/pool.ts";
import { readingPlan } from "../../actors/detector/postprocess.ts";
import { detector } from "../../actors/detector.ts";
import type { FrameCaptured, FrameDetected } from "../../protocols/frame.ts";
import { actor, addressOf } from "../../runtime/actor.ts";
import { createFramePool, type Lease } from "../../runtime/frame-pool.ts";
import { silentLog } from "../../runtime/log.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import { randomInt, seededRandom } from "../../runtime/random.ts";
import { stage } from "../../runtime/tree.ts";
import { type FakeHost, fakeHosts } from "../support/fake-detector-host.ts";
import { aSystem } from "../support/system.ts";
import { settlePromises, virtualClock } from "../support/virtual-clock.ts";

const slots = 8;
const cameras = 3;
const steps = 150;

const pictured = (host: FakeHost) => host.orders.flatMap((order) => (order.type === "run" ? [order] : []));

const play = async (seed: number) => {
  const random = seededRandom(seed);
  const clock = virtualClock();
  const metrics = createMetrics();
  const frames = createFramePool({ slots, pictureBytes: 0, inputBytes: 12, inputSize: 2 });
  const hosts = fakeHosts();
  let exhausted = false;
  const pool = await startDetectorPool({
    frames,
    model: { bytes: new Uint8Array(), plan: readingPlan({ family: "yolox", classes: cocoClasses }, 32, []) },
    clock,
    log: silentLog,
    metrics,
    onExhausted() {
      exhausted = true;
    },
    workers: 2,
    ordersPerWorker: 2,
    startHost: hosts.start,
  });

  const seen: FrameDetected[] = [];
  let unheld = 0;
  const lanes = actor<null, null, FrameDetected>({
    name: "lanes",
    mailbox: { capacity: 64, overflow: "drop-oldest" },
    start: () => null,
    on: {
      "frame.detected": (state, message, ctx) => {
        seen.push(message);
        if (!ctx.lease || !frames.isCurrent(ctx.lease)) unheld++;
        return state;
      },
    },
  });
  const args = {
    pool,
    lanes: addressOf<FrameDetected>("root/lanes"),
    metrics,
    modelType: "tiny",
    allowedClasses: cocoClasses,
  };
  const at = await aSystem([stage(lanes, { args: null }), stage(detector, { args, tells: [args.lanes] })], { clock, frames });
  const address = addressOf<FrameCaptured>("root/detector");

  const cameraOf = new Map<string, number>(); // of the frame that stands in a lease's slot
  const nameOf = ({ slot, generation }: Lease) => `${slot}/${generation}`;
  const answered = new Map<FakeHost, number>();
  let sent = 0;
  let twiceUnderWay = 0;
  const next = Array.from({ length: cameras }, () => 0);

  const send = () => {
    const lease = frames.acquire();
    if (!lease) return;
    frames.setHeader(lease, { pictureWidth: 2, pictureHeight: 2, inputScale: 1 });
    const cameraId = randomInt(random, cameras);
    const seq = next[cameraId] ?? 0;
    next[cameraId] = seq + 1;
    sent++;
    cameraOf.set(nameOf(lease), cameraId);
    const frame: FrameCaptured = {
      type: "frame.captured",
      cameraId,
      ownerEpoch: 0,
      seq,
      segment: 0,
      capturedAt: clock.nowMs(),
      mediaTimeMs: seq * 100,
      imageWidth: 2,
      imageHeight: 2,
    };
    at.system.tell(address, frame, lease); // the runtime is the holder from here on
  };

  const openRuns = (host: FakeHost) => pictured(host).slice(answered.get(host) ?? 0);
  const answer = (host: FakeHost, fails: boolean) => {
    const [run] = openRuns(host);
    if (!run) return;
    answered.set(host, (answered.get(host) ?? 0) + 1);
    if (fails) host.answer({ type: "run-failed", id: run.id, reason: "seeded" });
    else host.answer({ type: "detected", id: run.id, detections: [], inferenceMs: 10 });
  };
  const stopIfAsked = (host: FakeHost) => {
    if (!host.isEnded() && openRuns(host).length === 0 && host.orders.at(-1)?.type === "stop") host.answer({ type: "stopped" });
  };
  const lookForDoubles = () => {
    const underWay = hosts.started
      .filter((host) => !host.isEnded())
      .flatMap(openRuns)
      .filter(({ lease }) => frames.isCurrent(lease))
      .map(({ lease }) => cameraOf.get(nameOf(lease)));
    if (new Set(underWay).size !== underWay.length) twiceUnderWay++;
  };

  const dead = new Set<FakeHost>();
  for (let step = 0; step < steps && !exhausted; step++) {
    const alive = hosts.started.filter((host) => !dead.has(host) && !host.isEnded());
    const host = alive[randomInt(random, alive.length)];
    const choice = random.next();
    if (choice < 0.5) send();
    else if (choice < 0.85 && host) answer(host, random.next() < 0.2);
    else if (choice < 0.88 && host) {
      dead.add(host);
      answered.set(host, pictured(host).length);
      host.die("seeded");
    } else if (choice < 0.9) at.system.fail("root/detector", "seeded");
    else if (choice < 0.905) await clock.advance(10_000);
    else await clock.advance(randomInt(random, 200));
    for (const each of alive) stopIfAsked(each);
    await at.settle();
    // A restarted actor forgets what is under way; only the pool knows, so the rule holds within one incarnation.
    if (!restarted(at)) lookForDoubles();
  }

  // The faults stop: everyone answers, and what waits is worked off.
  for (let round = 0; round < 20; round++) {
    for (const each of hosts.started) {
      if (dead.has(each) || each.isEnded()) continue;
      while (openRuns(each).length > 0) answer(each, false);
      stopIfAsked(each);
    }
    await clock.advance(1_000);
    await at.settle();
  }
  const held = frames.stats();
  const counted = (await metrics.dropped.get()).values.reduce((sum, { value }) => sum + value, 0);
  const inRuntime = Object.values(at.dropped).reduce((sum, value) => sum + value, 0);
  const result = { sent, seen, unheld, twiceUnderWay, counted, inRuntime, restarts: restarted(at), held, exhausted };
  const closing = pool.close();
  await settlePromises();
  for (const each of hosts.started) if (!dead.has(each)) stopIfAsked(each);
  await closing;
  await at[Symbol.asyncDispose]();
  return { ...result, left: frames.stats() };
};

const restarted = (at: Awaited<ReturnType<typeof aSystem>>): number =>
  at.system.snapshot().children.find(({ name }) => name === "detector")?.restarts ?? 0;

const seeds = Array.from({ length: 40 }, (_, seed) => seed);

test.each(seeds)("frames end once, in order, and slots come back (seed %d)", async (seed) => {
  const { sent, seen, unheld, twiceUnderWay, counted, inRuntime, restarts, held, left, exhausted } = await play(seed);
  const nothing = { free: slots, held: 0, quarantined: 0 };
  // An exhausted pool takes no more: what waits in the mailbox is let go when the process ends.
  if (!exhausted) expect(held).toEqual(nothing);
  expect(left).toEqual(nothing);
  expect([unheld, twiceUnderWay]).toEqual([0, 0]);
  for (let camera = 0; camera < cameras; camera++) {
    const order = seen.filter(({ cameraId }) => cameraId === camera).map(({ seq }) => seq);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(new Set(order).size).toBe(order.length);
  }
  // A restart forgets at most what the incarnation held.
  const ended = seen.length + counted + inRuntime;
  expect(ended).toBeLessThanOrEqual(sent);
  expect(ended).toBeGreaterThanOrEqual(sent - restarts * slots);
});

test("the seeds reach what they are meant to reach", async () => {
  const all = await Promise.all(seeds.slice(0, 10).map(play));
  expect(all.some(({ restarts }) => restarts > 0)).toBe(true);
  expect(all.some(({ counted }) => counted > 0)).toBe(true);
  expect(all.some(({ exhausted }) => exhausted)).toBe(true);
  expect(all.filter(({ seen, exhausted }) => !exhausted && seen.length > 20).length).toBeGreaterThan(3);
});
