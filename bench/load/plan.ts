/** What a load run is made of: the configuration of the system under load, and the profile by which its figures are judged. */
import type { Config } from "../../config/schema.ts";
import type { LoadOptions } from "./options.ts";

/** Where the cameras and the model's provider are. */
export type Places = {
  readonly clip: string | null;
  readonly model: string | null;
  readonly rtspUrl: string | null;
  readonly llmUrl: string | null;
  readonly broker: string | null;
  readonly redis: string | null;
};

/** More cameras than this share scenes, each from another moment on: what makes the load is not what is measured. */
const scenes = 50;
const seedOf = (id: number): number => 1_001 + ((id - 1) % scenes);

const addressOf = ({ source, fps }: LoadOptions, { clip, rtspUrl }: Places, id: number): string => {
  if (source === "rtsp") return `${rtspUrl?.replace(/[^/]*$/, "")}camera-${id}`;
  if (source === "clip") return `file:${clip}`;
  return `sim://junction?seed=${seedOf(id)}&fps=${fps}&render=0&shared=1`;
};

/** The variable that holds the keys of the simulated provider. */
export const keyVariable = (group: number): string => `LOAD_KEY_${group}`;
export const keyOf = (group: number): string => `sk-load-${group}`;

/** A configuration file; JSON is YAML. `--set` goes over it. */
export const configurationOf = (options: LoadOptions, places: Places): string => {
  const { cameras, fps, llm, quotaGroups, rps, maxConcurrent, bus, source } = options;
  const groups = Array.from({ length: llm === "rules" ? 0 : quotaGroups }, (_, group) => ({
    name: `account-${group}`,
    baseUrl: places.llmUrl,
    model: "sim-vl",
    limits: { rps },
    keys: [{ id: `key-${group}`, env: keyVariable(group) }],
  }));
  return JSON.stringify(
    {
      cameras: {
        maxCameras: Math.max(1_000, cameras),
        ...(places.clip === null ? {} : { mediaDirs: [places.clip.slice(0, places.clip.lastIndexOf("/"))] }),
        list: Array.from({ length: cameras }, (_, index) => ({
          ...{ id: index + 1, name: `camera-${index + 1}`, url: addressOf(options, places, index + 1), fps, loop: true },
        })),
      },
      detector: source === "simulated" ? { workers: 1 } : { model: places.model },
      llm: { groups, ...(maxConcurrent === null ? {} : { maxConcurrentTasks: maxConcurrent }) },
      server: { port: 0, maxClients: Math.max(2_000, options.clients + 10) },
      ...(bus === "kafka" ? { bus: "kafka", kafka: { bootstrapServers: [places.broker] } } : {}),
      ...(places.redis === null ? {} : { store: { redis: places.redis } }),
    },
    null,
    2,
  );
};

/** Milliseconds between the moments at which a camera's frames may be captured; null where they are on no grid. */
export const slotMsOf = ({ source, fps, stream }: Pick<LoadOptions, "source" | "fps" | "stream">): number | null => {
  if (source === "clip") return null;
  return 1_000 / (source === "rtsp" ? stream.fps : fps);
};

const sourceLine = ({ source, cameras, fps, stream }: LoadOptions): string => {
  if (source === "simulated")
    return `${cameras} simulated cameras × ${fps} fps behind the detector, ${Math.min(cameras, scenes)} scenes, seeds from ${seedOf(1)}, pictures of 96 × 54 left black`;
  if (source === "clip") return `${cameras} players of one clip, looped, decoded and detected on at ${fps} fps`;
  return `${cameras} RTSP streams over TCP, H.264 ${stream.width}×${stream.height} at ${stream.fps} fps, a key frame each ${stream.gop / stream.fps} s, staggered; decoded and detected on at ${fps} fps`;
};

const modelLine = ({ llm, quotaGroups, rps }: LoadOptions, { maxConcurrentTasks, retriesMax }: Config["llm"]): string =>
  llm === "rules"
    ? "verdicts by rules, no model is asked"
    : `simulated model answers after ${llm.latency}; ${quotaGroups} quota groups of one key, ${rps} requests/s each; at most ${maxConcurrentTasks} calls in flight, ${retriesMax} retries`;

/** The lines by which the figures are to be judged. */
export const profileOf = (options: LoadOptions, config: Config): string[] => {
  const { clients, camerasPerClient, cameras, bus, store, isSplit, durationS, warmUpS, set, source } = options;
  const { tasks, grouping, detector, llm } = config;
  return [
    `source: ${sourceLine(options)}`,
    ...(source === "simulated"
      ? []
      : [
          `detector: inputs of ${detector.inputSize} × ${detector.inputSize}, ${detector.workers} workers, ${detector.executionProviders.join(", ")}`,
        ]),
    `bus ${bus}, store ${store}, ${isSplit ? "a process for each role" : "all roles in one process"}; ${clients} clients of ${Math.min(cameras, camerasPerClient)} cameras each`,
    `admission: groups of ${tasks.minMembers} or more within ${grouping.relativeDistance === null ? `${grouping.distancePx} px` : `${grouping.relativeDistance} diagonals`}, again after ${tasks.cooldownMs} ms when changed by ${tasks.changeLeast} of 1, after ${tasks.refreshMs} ms in any case, at once when worse; deadline ${tasks.deadlineMs} ms`,
    `model: ${modelLine(options, llm)}`,
    ...(set.length === 0 ? [] : [`set: ${set.join(", ")}`]),
    `measured: ${durationS} s after ${warmUpS} s of warm-up; capture clocks and clients' clocks are one machine's`,
  ];
};
