import { describe, expect, test } from "bun:test";
import { cocoClasses } from "../../../../actors/detector/classes.ts";
import { type DetectorPoolOptions, startDetectorPool } from "../../../../actors/detector/pool.ts";
import { readingPlan } from "../../../../actors/detector/postprocess.ts";
import { createFramePool, type Lease } from "../../../../runtime/frame-pool.ts";
import { silentLog } from "../../../../runtime/log.ts";
import { createMetrics } from "../../../../runtime/metrics.ts";
import { fakeHosts, ready } from "../../../support/fake-detector-host.ts";
import { settlePromises, virtualClock } from "../../../support/virtual-clock.ts";

const geometry = { inputScale: 1, imageWidth: 32, imageHeight: 32 };

const setUp = async (options: Partial<DetectorPoolOptions> & { readonly hosts?: ReturnType<typeof fakeHosts> } = {}) => {
  const { hosts = fakeHosts(), ...more } = options;
  const clock = virtualClock();
  const metrics = createMetrics();
  const frames = createFramePool({ slots: 8, pictureBytes: 0, inputBytes: 32 * 32 * 3, inputSize: 32 });
  const exhausted: string[] = [];
  const pool = await startDetectorPool({
    frames,
    model: { bytes: new Uint8Array(), plan: readingPlan({ family: "yolox", classes: cocoClasses }, 32, []) },
    clock,
    log: silentLog,
    metrics,
    onExhausted: (reason) => void exhausted.push(reason),
    workers: 2,
    ordersPerWorker: 1,
    startHost: hosts.start,
    ...more,
  });
  const lease = (): Lease => frames.acquire() ?? expect.unreachable("no slot is free");
  /** Orders a run; its outcome is the text of what it rejected with, or `done`. */
  const run = (held = lease()) => {
    const outcome = { lease: held, text: "open" };
    pool.run(held, geometry).then(
      () => {
        outcome.text = "done";
      },
      (failure: Error) => {
        outcome.text = failure.message;
      },
    );
    return outcome;
  };
  return { pool, hosts: hosts.started, clock, metrics, frames, exhausted, lease, run };
};

const errorsOf = async (metrics: ReturnType<typeof createMetrics>) =>
  (await metrics.pipelineErrors.get()).values.map(({ labels, value }) => `${labels.error_type}=${value}`);

describe("a pool at work", () => {
  test("gives each run to the worker with the least to do, and holds the frame until the answer", async () => {
    const { pool, hosts, frames, run } = await setUp({ ordersPerWorker: 2 });
    expect(pool.free()).toBe(4);
    const [first, second] = [run(), run()];
    expect(hosts.map(({ orders }) => orders.length)).toEqual([2, 2]);
    expect(pool.free()).toBe(2);
    frames.release(first.lease);
    frames.release(second.lease);
    expect(frames.stats().held).toBe(2);
    hosts[0]?.detect();
    await settlePromises();
    expect([first.text, second.text]).toEqual(["done", "open"]);
    expect(frames.stats().held).toBe(1);
    expect(pool.free()).toBe(3);
  });

  test("tells a worker the slot, never the pixels", async () => {
    const { hosts, run } = await setUp();
    const { lease } = run();
    expect(hosts[0]?.orders.at(-1)).toEqual({ type: "run", id: 0, lease, geometry });
  });

  test("refuses what it cannot order at once", async () => {
    const { run, frames } = await setUp({ workers: 1 });
    run();
    const refused = run();
    await settlePromises();
    expect(refused.text).toBe("no detector worker is free");
    frames.release(refused.lease);
    expect(frames.stats().held).toBe(1);
  });

  test("a run that fails costs that run alone", async () => {
    const { pool, hosts, run } = await setUp({ workers: 1 });
    const failed = run();
    hosts[0]?.answer({ type: "run-failed", id: 0, reason: "wrong shape" });
    await settlePromises();
    expect(failed.text).toBe("the detector failed: wrong shape");
    expect(pool.free()).toBe(1);
  });
});

describe("a pool that starts", () => {
  test("is there once every worker has the model", async () => {
    const hosts = fakeHosts((host, index) => {
      if (index === 0) host.answer(ready);
    });
    const starting = setUp({ hosts });
    await settlePromises();
    expect(await Promise.race([starting, Promise.resolve("still starting")])).toBe("still starting");
    hosts.started[1]?.answer(ready);
    expect((await starting).pool.status()).toMatchObject({ workers: 2, ready: 2, provider: "cpu" });
  });

  test("says why it cannot, and leaves no worker behind", async () => {
    const hosts = fakeHosts((host, index) => host.answer(index === 0 ? ready : { type: "failed", reason: "no such operator" }));
    const starting = setUp({ hosts });
    const failure = starting.catch((reason: Error) => reason.message);
    await settlePromises();
    expect(hosts.started[0]?.orders.map(({ type }) => type)).toEqual(["start", "stop"]);
    hosts.started[0]?.answer({ type: "stopped" });
    expect(await failure).toBe("the detector cannot start: no such operator");
    expect(hosts.started.map((host) => host.isEnded())).toEqual([true, true]);
  });

  test("tells which execution providers it could not use", async () => {
    const hosts = fakeHosts((host) => host.answer({ type: "ready", provider: "cpu", refused: ["cuda: no library"] }));
    const { pool, hosts: started } = await setUp({ hosts, workers: 1, executionProviders: ["cuda", "cpu"] });
    expect(pool.status()).toMatchObject({ provider: "cpu", refused: ["cuda: no library"] });
    expect(started[0]?.orders[0]).toMatchObject({ type: "start", executionProviders: ["cuda", "cpu"] });
  });
});

describe("a worker that hangs", () => {
  test("loses its runs after 10 s; its slots stay out of use, and another worker takes its place", async () => {
    const { pool, hosts, clock, frames, metrics, exhausted, run } = await setUp({ workers: 1, ordersPerWorker: 2 });
    const runs = [run(), run()];
    await clock.advance(9_999);
    expect(runs.map(({ text }) => text)).toEqual(["open", "open"]);
    await clock.advance(1);
    expect(runs[0]?.text).toBe("the detector did not answer: a detector worker said nothing for 10000 ms");
    expect(runs[1]?.text).toBe(runs[0]?.text ?? "");
    for (const { lease } of runs) frames.release(lease);
    expect(frames.stats()).toMatchObject({ held: 0, quarantined: 2 });
    expect(hosts).toHaveLength(2);
    expect(hosts[0]?.isEnded()).toBe(false);
    expect(pool.free()).toBe(2);
    expect(pool.status()).toMatchObject({ ready: 1, abandoned: 1 });
    expect(exhausted).toEqual([]);
    expect(await errorsOf(metrics)).toEqual(["worker_hung=1"]);
  });

  test("is stopped when it answers after all, and its slots are free again", async () => {
    const { pool, hosts, clock, frames, run } = await setUp({ workers: 1, ordersPerWorker: 2 });
    const runs = [run(), run()];
    await clock.advance(10_000);
    for (const { lease } of runs) frames.release(lease);
    hosts[0]?.detect();
    expect(frames.stats().quarantined).toBe(1);
    hosts[0]?.answer({ type: "run-failed", id: 1, reason: "the slot is no longer held" });
    expect(frames.stats()).toMatchObject({ quarantined: 0, held: 0 });
    expect(hosts[0]?.orders.at(-1)).toEqual({ type: "stop" });
    expect(hosts[0]?.isEnded()).toBe(false);
    hosts[0]?.answer({ type: "stopped" });
    expect(hosts[0]?.isEnded()).toBe(true);
    expect(pool.status()).toMatchObject({ ready: 1, abandoned: 0 });
  });

  test("is given its time anew with each answer", async () => {
    const { clock, hosts, run } = await setUp({ workers: 1, ordersPerWorker: 2 });
    const runs = [run(), run()];
    await clock.advance(9_000);
    hosts[0]?.detect();
    await clock.advance(9_000);
    expect(runs.map(({ text }) => text)).toEqual(["done", "open"]);
    hosts[0]?.detect();
    await clock.advance(60_000);
    expect(hosts).toHaveLength(1);
  });

  test("as the second one, exhausts the pool: it is said once, and nothing is started", async () => {
    const { pool, hosts, clock, exhausted, run } = await setUp({ workers: 2 });
    run();
    run();
    await clock.advance(10_000);
    expect(exhausted).toEqual(["a second detector worker hangs"]);
    expect(hosts).toHaveLength(3);
    run();
    await clock.advance(20_000);
    expect(exhausted).toHaveLength(1);
    expect(pool.free()).toBe(0);
  });
});

describe("a worker that dies", () => {
  test("loses its runs, gives their frames back and is replaced after a pause that grows", async () => {
    const hosts = fakeHosts((host, index) => {
      if (index === 0 || index === 3) host.answer(ready);
      else host.answer({ type: "failed", reason: "out of memory" });
    });
    const { pool, clock, frames, metrics, run } = await setUp({ hosts, workers: 1 });
    const lost = run();
    hosts.started[0]?.die("the thread ended");
    await settlePromises();
    expect(lost.text).toBe("the detector did not answer: the thread ended");
    frames.release(lost.lease);
    expect(frames.stats().held).toBe(0);
    expect(pool.free()).toBe(0);
    await clock.advance(100);
    expect(hosts.started).toHaveLength(2);
    await clock.advance(199);
    expect(hosts.started).toHaveLength(2);
    await clock.advance(1);
    expect(hosts.started).toHaveLength(3);
    await clock.advance(400);
    expect(pool.free()).toBe(1);
    expect(await errorsOf(metrics)).toEqual(["worker_died=1", "worker_not_started=2"]);
    // A run that succeeds makes the next pause short again.
    run();
    hosts.started[3]?.detect();
    await settlePromises();
    hosts.started[3]?.die("again");
    await clock.advance(100);
    expect(hosts.started).toHaveLength(5);
  });

  test("while it is abandoned, frees its slots", async () => {
    const { clock, hosts, frames, run } = await setUp({ workers: 1 });
    const { lease } = run();
    await clock.advance(10_000);
    frames.release(lease);
    hosts[0]?.die("at last");
    expect(frames.stats()).toMatchObject({ held: 0, quarantined: 0 });
  });
});

describe("closing", () => {
  test("lets runs end, then ends the workers", async () => {
    const { pool, hosts, run } = await setUp({ workers: 1 });
    const open = run();
    let closed = false;
    const closing = pool.close().then(() => {
      closed = true;
    });
    const late = run();
    await settlePromises();
    expect(late.text).toBe("the detector is closed");
    expect([closed, hosts[0]?.isEnded()]).toEqual([false, false]);
    hosts[0]?.detect();
    hosts[0]?.answer({ type: "stopped" });
    await closing;
    expect(open.text).toBe("done");
    expect(hosts[0]?.isEnded()).toBe(true);
    await pool.close();
  });

  test("does not wait for a hung worker, and never ends it", async () => {
    const { pool, hosts, clock, run } = await setUp({ workers: 1 });
    const open = run();
    const closing = pool.close();
    await clock.advance(10_000);
    await closing;
    expect(open.text).toContain("did not answer");
    expect(hosts[0]?.isEnded()).toBe(false);
    expect(hosts).toHaveLength(1);
  });

  test("cancels what was to be replaced", async () => {
    const { pool, hosts, clock } = await setUp({ workers: 1 });
    hosts[0]?.die("gone");
    await pool.close();
    await clock.advance(60_000);
    expect(hosts).toHaveLength(1);
  });
});
