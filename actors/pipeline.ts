/**
 * READ THIS FIRST: the data's way, and who restarts whom.
 *
 *   camera ─▶ detector ─▶ tracker ─▶ clusterer ═detection-results═▶ task-generator ═assessment-tasks═▶ scheduler
 *                                        │                                                                 ║
 *                                        └─▶ edge (live)  ◀═incidents═ aggregator ◀═risk-assessment-results═╝
 *
 *   ─▶ a mailbox of this process      ═▶ a durable topic, see `protocols/topics.ts`
 *
 * Children start in the order written here, sinks before sources, and stop in reverse. A `stage` is one actor, `stageTaking` one
 * that reads a topic, `dynamic` makes a child for each key (here: for each camera); `tells` names all that a stage may write to.
 */
import type { FrameCaptured, FrameDetected, FrameTracked } from "../protocols/frame.ts";
import { topics } from "../protocols/topics.ts";
import { addressOf, type DynamicAddress } from "../runtime/actor.ts";
import type { Tolerance } from "../runtime/intensity.ts";
import { type ChildSpec, dynamic, type SupervisorSpec, stage, stageTaking, supervisor } from "../runtime/tree.ts";
import { type AggregatorArgs, aggregator } from "./aggregator.ts";
import { type CameraArgs, camera } from "./camera.ts";
import { type ClustererArgs, clusterer } from "./clusterer.ts";
import { type DetectorArgs, detector } from "./detector.ts";
import { type SchedulerArgs, scheduler } from "./scheduler.ts";
import { type TaskGeneratorArgs, taskGenerator } from "./task-generator.ts";
import { type TrackerArgs, tracker } from "./tracker.ts";

/** Too many failures of the durable stages end the process (70): whoever started it starts it again, and the log is intact. */
const tolerance: Tolerance = { restarts: 5, withinMs: 60_000, backoffMs: [100, 5_000] };
/** Cameras are outside code that is expected to fail, and a lane sees what they send: tried for ever, slowly. */
const patient: Tolerance = { restarts: Number.POSITIVE_INFINITY, withinMs: 60_000, backoffMs: [500, 30_000] };
/** A lane whose camera is silent for so long ends. */
const laneIdleMs = 5 * 60_000;

export const addresses = {
  detector: addressOf<FrameCaptured>("vedette/detector"),
  lanes: addressOf<FrameDetected>("vedette/lanes"),
  eyes: { path: "vedette/eyes" } as DynamicAddress<CameraArgs>,
};

/** What a process does: all of it, or a part when several meet on Kafka. Eyes are camera to clusterer, which share frames. */
export type Role = "eyes" | "task-generator" | "scheduler" | "aggregator" | "edge";

export type Pipeline = {
  readonly roles: ReadonlySet<Role>;
  /** Where what is seen goes before the topics have it; a stage of the edge. A failing client or route never reaches the rest. */
  readonly live: readonly ChildSpec[];
  readonly aggregator: AggregatorArgs;
  readonly scheduler: SchedulerArgs;
  readonly taskGenerator: TaskGeneratorArgs;
  readonly clusterer: (cameraId: number) => ClustererArgs;
  readonly tracker: Omit<TrackerArgs, "clusterer">;
  readonly detector: DetectorArgs;
};

export const pipeline = (args: Pipeline): SupervisorSpec => {
  const when = (role: Role, ...children: ChildSpec[]) => (args.roles.has(role) ? children : []);
  return supervisor("vedette", "one_for_one", tolerance, [
    ...args.live,
    ...when("aggregator", stageTaking(topics.results, aggregator, { args: args.aggregator })),
    ...when("scheduler", stageTaking(topics.tasks, scheduler, { args: args.scheduler })),
    ...when("task-generator", stageTaking(topics.detections, taskGenerator, { args: args.taskGenerator })),
    ...when(
      "eyes",
      dynamic("lanes", patient, (key) => lane(key, args), { onDemand: { entry: "tracker", idleMs: laneIdleMs } }),
      stage(detector, { args: args.detector, tells: [addresses.lanes] }),
      dynamic("eyes", patient, (key, eye: CameraArgs) =>
        stage(camera, { name: `camera-${key}`, args: eye, tells: [eye.detector, eye.live] }),
      ),
    ),
  ]);
};

/** The clusterer remembers track ids, and those die with the tracker: they restart together. */
const lane = (key: string, args: Pipeline): SupervisorSpec => {
  const grouping = addressOf<FrameTracked>(`vedette/lanes/lane-${key}/clusterer`);
  const ofCamera = args.clusterer(Number(key));
  return supervisor(`lane-${key}`, "rest_for_one", tolerance, [
    stage(tracker, { args: { ...args.tracker, clusterer: grouping }, tells: [grouping] }),
    stage(clusterer, { args: ofCamera, tells: [ofCamera.live] }),
  ]);
};
