/** From the configuration to what each stage of the pipeline is given. */
import type { Pipeline, Role } from "../actors/pipeline.ts";
import { addresses } from "../actors/pipeline.ts";
import type { Accounts } from "../actors/scheduler/accounts.ts";
import { parsePrompt } from "../actors/scheduler/prompt.ts";
import type { SchedulerArgs } from "../actors/scheduler.ts";
import type { LoadedConfig } from "../config/load.ts";
import english from "../config/prompts/risk.en.txt" with { type: "text" };
import chinese from "../config/prompts/risk.zh.txt" with { type: "text" };
import type { LiveDetection } from "../protocols/detection.ts";
import { addressOf } from "../runtime/actor.ts";
import type { Bus } from "../runtime/bus.ts";
import type { Clock } from "../runtime/clock.ts";
import { encodeCrop, encodeJpeg } from "../runtime/jpeg.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Store } from "../runtime/store.ts";
import { stage } from "../runtime/tree.ts";
import type { CameraRegistry } from "./cameras.ts";
import type { Evidence } from "./evidence.ts";
import type { KeyWatch } from "./keys.ts";
import type { LiveHub } from "./live/hub.ts";
import { live } from "./live.ts";
import { createTellTracks } from "./tracks.ts";
import type { Vision } from "./vision.ts";

/** How long ago a record may have been written that is delivered again. */
const outageMs = 10 * 60_000;
/** An aggregator waits so long after the deadline for the scheduler's word that it came too late. */
const graceMs = 5_000;

export type StagePorts = {
  readonly roles: ReadonlySet<Role>;
  readonly clock: Clock;
  readonly bus: Bus;
  readonly store: Store;
  readonly evidence: Evidence;
  readonly metrics: Metrics;
  readonly hub: LiveHub;
  readonly cameras: CameraRegistry;
  readonly vision: Vision;
  readonly accounts: Accounts;
  readonly keys: KeyWatch;
};

export const stagesOf = (loaded: LoadedConfig, ports: StagePorts): Pipeline => {
  const { config } = loaded;
  const { roles, metrics, hub, cameras, vision, evidence } = ports;
  const { distancePx, relativeDistance, maxDiameterPx, minMembers, cropMarginPx, cropQuality, cropMaxBytes } = config.grouping;
  return {
    roles,
    live: roles.has("eyes")
      ? [stage(live, { args: { hub, cameras, encodeJpeg, metrics, tellTracks: createTellTracks(config, ports) } })]
      : [],
    aggregator: { deadlineMs: config.tasks.deadlineMs, graceMs, outageMs, metrics, keepEvidence: evidence.keep },
    scheduler: schedulerArgs(loaded, ports),
    taskGenerator: { ...config.tasks, metrics },
    tracker: { metrics, options: config.tracker },
    clusterer: (cameraId) => ({
      live: addressOf<LiveDetection>("vedette/live"),
      metrics,
      encodeCrop,
      roi: () => cameras.settings(cameraId)?.roi ?? [],
      grouping: { distancePx, relativeDistance: relativeDistance ?? undefined, maxDiameterPx, minMembers },
      evidence: { marginPx: cropMarginPx, quality: cropQuality, imageMaxBytes: cropMaxBytes },
      candidates: config.tasks,
    }),
    detector: {
      lanes: addresses.lanes,
      metrics,
      allowedClasses: config.detector.allowedClasses,
      // The model may come after the cameras.
      get pool() {
        return vision.pool();
      },
      get modelType() {
        return vision.modelType();
      },
    },
  };
};

const schedulerArgs = ({ config }: LoadedConfig, { clock, store, metrics, accounts, keys }: StagePorts): SchedulerArgs => {
  const { llm, tasks } = config;
  return {
    clock,
    store,
    metrics,
    accounts,
    reload: keys.changed,
    maxConcurrent: llm.maxConcurrentTasks,
    timeoutMs: llm.timeoutMs,
    retriesMax: llm.retriesMax,
    hedgeShare: llm.hedgeShare,
    language: llm.language,
    prompt: parsePrompt(llm.language === "zh" ? chinese : english, `config/prompts/risk.${llm.language}.txt`),
    deadlineMs: tasks.deadlineMs,
    outageMs,
    fetch,
  };
};
