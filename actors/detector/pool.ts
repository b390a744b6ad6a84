/** The detector's workers behind one port: a frame goes to the worker with the least to do, a lost worker is replaced. */
import { availableParallelism } from "node:os";
import type { Cancel, Clock } from "../../runtime/clock.ts";
import { Fault } from "../../runtime/errors.ts";
import type { FramePool, Lease } from "../../runtime/frame-pool.ts";
import type { Log } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import { type StartHost, type StartOrder, startWorkerHost } from "./host.ts";
import type { FrameGeometry, ReadingPlan } from "./postprocess.ts";
import { type DetectorRun, type Phase, startWatchedWorker, type WatchedWorker, type WorkerEvents } from "./watched-worker.ts";

export type PoolStatus = {
  readonly workers: number;
  readonly ready: number;
  readonly abandoned: number;
  readonly provider: string | null;
  /** Why execution providers that were asked for are not used. */
  readonly refused: readonly string[];
  readonly lastFailure: string | null;
};

export type DetectorPool = {
  /** The pool holds the lease until the worker has answered. Rejects with a `Fault` when there is no answer. */
  readonly run: (lease: Lease, geometry: FrameGeometry) => Promise<DetectorRun>;
  /** How many more runs it takes at once. */
  readonly free: () => number;
  readonly status: () => PoolStatus;
  /** Lets the runs in flight end, gives the sessions back, ends the threads. Bounded by `hungMs`. */
  readonly close: () => Promise<void>;
};

export type DetectorPoolOptions = {
  readonly frames: FramePool;
  /** A prepared model and how to read it: see `model.ts`. */
  readonly model: { readonly bytes: Uint8Array; readonly plan: ReadingPlan };
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Called once, when a second worker hangs: time to drain and to end the process. */
  readonly onExhausted: (reason: string) => void;
  /** Default: one per core. */
  readonly workers?: number;
  /** Runs ordered per worker: the next one waits at the thread, so that a core does not wait for the main loop. Default 2. */
  readonly ordersPerWorker?: number;
  /** A run without an answer for so long: its worker hangs. Default 10 s. */
  readonly hungMs?: number;
  /** Time to load the model. Default 60 s. */
  readonly startMs?: number;
  /** Tried in this order; the CPU is the last resort. */
  readonly executionProviders?: readonly string[];
  readonly startHost?: StartHost;
};

const backoffMs = { first: 100, cap: 30_000 };

/** Calls `start` after a pause that doubles with each call, until `reset`. */
const createBackoff = (clock: Clock, start: () => void) => {
  const planned = new Set<Cancel>();
  let inRow = 0;
  return {
    plan() {
      const cancel = clock.after(Math.min(backoffMs.cap, backoffMs.first * 2 ** inRow++), () => {
        planned.delete(cancel);
        start();
      });
      planned.add(cancel);
    },
    reset() {
      inRow = 0;
    },
    cancel() {
      for (const cancel of planned) cancel();
      planned.clear();
    },
  };
};

type Settings = Required<Omit<DetectorPoolOptions, "model" | "executionProviders">> & { readonly order: StartOrder };

type Crew = {
  readonly inPhase: (...phases: Phase[]) => WatchedWorker[];
  readonly status: () => PoolStatus;
  readonly succeeded: () => void;
  readonly close: () => Promise<void>;
};

/** The policy on workers that come and go. `onReady` and `onLost` report each start and each loss. */
const gatherCrew = (settings: Settings, onReady: () => void, onLost: (reason: string) => void): Crew => {
  const { clock, log, metrics } = settings;
  const crew = new Set<WatchedWorker>();
  const replacements = createBackoff(clock, () => start());
  let state: "open" | "exhausted" | "closing" = "open";
  let session: { readonly provider: string | null; readonly refused: readonly string[] } = { provider: null, refused: [] };
  let lastFailure: string | null = null;
  let allGone: () => void = () => {};

  const inPhase = (...phases: Phase[]) => [...crew].filter((worker) => phases.includes(worker.phase()));

  const lost = (kind: "died" | "hung" | "not_started", reason: string) => {
    lastFailure = reason;
    metrics.pipelineErrors.inc({ error_type: `worker_${kind}`, component: "detector" });
    log.error(kind === "hung" ? "detector.hung" : "detector.failed", { reason });
    onLost(reason);
  };

  const events: WorkerEvents = {
    ready(_worker, provider, refused) {
      session = { provider, refused };
      log.info("detector.ready", { provider, refused, workers: inPhase("ready").length });
      onReady();
    },
    hung(worker, reason) {
      lost("hung", reason);
      if (state === "closing") {
        crew.delete(worker);
        if (crew.size === 0) allGone();
      } else if (inPhase("abandoned").length === 1) start();
      else if (state === "open") {
        state = "exhausted";
        settings.onExhausted("a second detector worker hangs");
      }
    },
    left(worker, departure, reason) {
      crew.delete(worker);
      if (crew.size === 0) allGone();
      if (departure === "asked" || departure === "returned") return;
      lost(departure, reason);
      if (state === "open") replacements.plan();
    },
  };

  const start = () => void crew.add(startWatchedWorker(settings, events));

  for (let index = 0; index < settings.workers; index++) start();

  return {
    inPhase,
    succeeded: replacements.reset,
    status: () => ({
      workers: settings.workers,
      ready: inPhase("ready").length,
      abandoned: inPhase("abandoned").length,
      ...session,
      lastFailure,
    }),
    async close() {
      state = "closing";
      replacements.cancel();
      for (const worker of inPhase("abandoned")) crew.delete(worker);
      const gone = new Promise<void>((resolve) => {
        allGone = resolve;
      });
      for (const worker of inPhase("starting", "ready")) worker.stop();
      if (crew.size > 0) await gone;
    },
  };
};

export const defaultWorkers = (): number => availableParallelism();

/** Resolves when every worker has loaded the model; rejects, with nothing left behind, when one cannot. */
export const startDetectorPool = async (options: DetectorPoolOptions): Promise<DetectorPool> => {
  const { frames, model, executionProviders = ["cpu"], ordersPerWorker = 2 } = options;
  const settings: Settings = {
    workers: defaultWorkers(),
    hungMs: 10_000,
    startMs: 60_000,
    startHost: startWorkerHost,
    ...options,
    ordersPerWorker,
    order: {
      type: "start",
      buffer: frames.buffer,
      layout: frames.layout,
      model: model.bytes,
      plan: model.plan,
      executionProviders,
    },
  };
  let closing: Promise<void> | null = null;
  const started = Promise.withResolvers<void>();
  let starting = settings.workers;
  const crew = gatherCrew(
    settings,
    () => {
      if (--starting === 0) started.resolve();
    },
    (reason) => started.reject(new Fault("unavailable", `the detector cannot start: ${reason}`)),
  );
  try {
    await started.promise;
  } catch (failure) {
    await crew.close();
    throw failure;
  }

  return {
    async run(lease, geometry) {
      const [worker] = crew.inPhase("ready").sort((a, b) => a.pending() - b.pending());
      if (closing || !worker || worker.pending() >= ordersPerWorker) {
        throw new Fault("unavailable", closing ? "the detector is closed" : "no detector worker is free");
      }
      const run = await worker.run(lease, geometry);
      crew.succeeded();
      return run;
    },
    free: () => (closing ? 0 : crew.inPhase("ready").reduce((sum, worker) => sum + ordersPerWorker - worker.pending(), 0)),
    status: crew.status,
    close() {
      closing ??= crew.close();
      return closing;
    },
  };
};
