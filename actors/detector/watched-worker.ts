/**
 * One worker of the pool, and the eye kept on it. It answers its runs in order; when it says nothing for too long it is
 * abandoned, never ended, because ending a thread inside a native run aborts the whole process.
 */
import type { Detection } from "../../protocols/frame.ts";
import type { Cancel, Clock } from "../../runtime/clock.ts";
import { Fault } from "../../runtime/errors.ts";
import type { FramePool, Lease } from "../../runtime/frame-pool.ts";
import type { Answer, StartHost, StartOrder } from "./host.ts";
import type { FrameGeometry } from "./postprocess.ts";

export type DetectorRun = { readonly detections: Detection[]; readonly inferenceMs: number };

/** `abandoned`: hung, and still there. `ended`: gone for good. */
export type Phase = "starting" | "ready" | "stopping" | "abandoned" | "ended";

/** `asked`: told to stop. `returned`: an abandoned one answered after all, and was stopped. */
export type Departure = "asked" | "returned" | "not_started" | "died";

export type WatchedWorker = {
  readonly phase: () => Phase;
  /** Runs that it has not answered. */
  readonly pending: () => number;
  /** Holds the lease until the answer. A hung worker's slots are quarantined until it answers after all. */
  readonly run: (lease: Lease, geometry: FrameGeometry) => Promise<DetectorRun>;
  /** Finish, give the session back, leave. */
  readonly stop: () => void;
};

export type WorkerEvents = {
  readonly ready: (worker: WatchedWorker, provider: string, refused: readonly string[]) => void;
  readonly hung: (worker: WatchedWorker, reason: string) => void;
  readonly left: (worker: WatchedWorker, departure: Departure, reason: string) => void;
};

export type WorkerPorts = {
  readonly frames: FramePool;
  readonly clock: Clock;
  readonly startHost: StartHost;
  readonly order: StartOrder;
  readonly startMs: number;
  readonly hungMs: number;
};

type Run = {
  readonly id: number;
  readonly lease: Lease;
  readonly resolve: (run: DetectorRun) => void;
  readonly reject: (reason: Fault) => void;
};

type Core = {
  phase: Phase;
  readonly runs: Run[];
  watch: Cancel;
  nextId: number;
};

const rejectAll = (runs: readonly Run[], reason: string): void => {
  for (const run of runs) run.reject(new Fault("unavailable", `the detector did not answer: ${reason}`));
};

/** The thread may still read these slots: they stay out of use until it answers. */
const setAside = (runs: readonly Run[], frames: FramePool): void => {
  for (const { lease } of runs) frames.quarantine(lease);
};

const giveBack = (runs: readonly Run[], frames: FramePool, phase: Phase): void => {
  for (const { lease } of runs) {
    if (phase === "abandoned") frames.restore(lease);
    else frames.release(lease);
  }
};

const settle = (run: Run, answer: Extract<Answer, { readonly id: number }>): void => {
  if (answer.type === "detected") run.resolve({ detections: answer.detections, inferenceMs: answer.inferenceMs });
  else run.reject(new Fault("internal", `the detector failed: ${answer.reason}`));
};

export const startWatchedWorker = (ports: WorkerPorts, events: WorkerEvents): WatchedWorker => {
  const { frames, clock, hungMs } = ports;
  const core: Core = { phase: "starting", runs: [], watch: () => {}, nextId: 0 };

  const watchFor = (timeMs: number): void => {
    core.watch();
    core.watch = clock.after(timeMs, () => {
      const reason = `a detector worker said nothing for ${timeMs} ms`;
      core.phase = "abandoned";
      setAside(core.runs, frames);
      rejectAll(core.runs, reason);
      events.hung(worker, reason);
    });
  };

  const leave = (departure: Departure, reason: string): void => {
    core.watch();
    core.phase = "ended";
    events.left(worker, departure, reason);
  };

  /** An abandoned worker came back. Its place is taken, so it is stopped once it has answered everything. */
  const cameBack = (answer: Answer): void => {
    if (answer.type === "stopped" || answer.type === "failed") {
      host.end();
      leave("returned", "it answered after all");
      return;
    }
    if (answer.type !== "ready") giveBack(core.runs.splice(0, 1), frames, core.phase);
    if (core.runs.length === 0) host.post({ type: "stop" });
  };

  const answered = (answer: Answer): void => {
    if (core.phase === "ended") return;
    if (core.phase === "abandoned") return void cameBack(answer);
    if (answer.type === "ready") {
      core.watch();
      if (core.phase === "starting") core.phase = "ready";
      else watchFor(hungMs); // told to stop while it started
      return void events.ready(worker, answer.provider, answer.refused);
    }
    if (answer.type === "failed" || answer.type === "stopped") {
      host.end();
      return void leave(answer.type === "failed" ? "not_started" : "asked", answer.type === "failed" ? answer.reason : "");
    }
    const [run] = core.runs.splice(0, 1);
    if (run?.id !== answer.id) throw new Error(`a detector worker answered run ${answer.id} out of turn`);
    giveBack([run], frames, core.phase);
    if (core.runs.length > 0 || core.phase === "stopping") watchFor(hungMs);
    else core.watch();
    settle(run, answer);
  };

  const ended = (reason: string): void => {
    const { phase } = core;
    if (phase === "ended") return;
    const runs = core.runs.splice(0);
    giveBack(runs, frames, phase);
    rejectAll(runs, reason); // an abandoned worker's are rejected already
    if (phase === "abandoned") leave("returned", reason);
    else leave(phase === "stopping" ? "asked" : "died", reason);
  };

  const host = ports.startHost({ answer: answered, ended });
  const worker: WatchedWorker = {
    phase: () => core.phase,
    pending: () => core.runs.length,
    run: (lease, geometry) =>
      new Promise<DetectorRun>((resolve, reject) => {
        const id = core.nextId++;
        frames.retain(lease);
        if (core.runs.length === 0) watchFor(hungMs);
        core.runs.push({ id, lease, resolve, reject });
        host.post({ type: "run", id, lease, geometry });
      }),
    stop() {
      core.phase = "stopping";
      watchFor(hungMs);
      host.post({ type: "stop" });
    },
  };
  watchFor(ports.startMs);
  host.post(ports.order);
  return worker;
};
