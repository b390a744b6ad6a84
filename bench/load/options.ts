/** The command line of `bun run bench load`. */
import { parseArgs } from "node:util";
import { type Expectation, parseExpectation } from "./expect.ts";
import { parseStream, type Stream, streamUsual } from "./stream.ts";

export type LoadOptions = {
  readonly cameras: number;
  readonly fps: number;
  readonly durationS: number;
  readonly warmUpS: number;
  readonly source: "simulated" | "clip" | "rtsp";
  /** What the RTSP source sends. */
  readonly stream: Stream;
  readonly bus: "embedded" | "kafka";
  readonly store: "embedded" | "redis";
  /** `rules`, or the latency of the simulated model. */
  readonly llm: "rules" | { readonly latency: string };
  readonly clients: number;
  /** Cameras that each client subscribes to. */
  readonly camerasPerClient: number;
  /** One process for each role, instead of one for all. */
  readonly isSplit: boolean;
  readonly maxConcurrent: number | null;
  readonly quotaGroups: number;
  /** Requests a second that the provider allows each quota group. */
  readonly rps: number;
  readonly set: readonly string[];
  readonly expect: readonly Expectation[];
  readonly saturate: boolean;
  readonly report: string | null;
  readonly title: string | null;
  /** Where CPU profiles are written. */
  readonly profileDir: string | null;
};

export const loadUsage = `bun run bench load [options]: the whole system under the load of many cameras

  --cameras N          how many (50)
  --fps N              frames a second and camera that are judged (2)
  --duration S         seconds that are measured (600), after --warm-up S (5), from when every camera was heard of
  --source NAME        simulated (starts behind the detector), clip, or rtsp (both are decoded and detected on)
  --stream TEXT        what rtsp sends: sides, pictures a second, seconds between key frames (${streamUsual})
  --bus NAME           embedded, or kafka: a broker of its own is started
  --roles split        a process for each role; with --bus kafka
  --store NAME         embedded, or redis: a server of its own is started
  --llm NAME           rules, or sim:1s, sim:1-3s: the simulated model answers after so long
  --quota-groups N     accounts at the model's provider, each with a key (10)
  --rps N              requests a second that the provider allows each account (20)
  --max-concurrent N   calls in flight, llm.maxConcurrentTasks
  --clients N          WebSocket clients (100), each subscribed to --cameras-per-client N cameras (20)
  --set a.b=c          a setting of the system under load; may be given again
  --expect 'NAME<X'    e.g. 'verdict.e2e.p95<2000', 'p95<2s', 'fps.achieved>=1.9'; may be given again; the exit code is theirs
  --saturate           the most cameras at which what is expected holds, by doubling and halving from --cameras
  --report FILE        writes the figures as JSON; --title TEXT heads them
  --profile DIR        writes a CPU profile of each process there (bun --cpu-prof)
`;

const flags = {
  cameras: { type: "string", default: "50" },
  fps: { type: "string", default: "2" },
  duration: { type: "string", default: "600" },
  "warm-up": { type: "string", default: "5" },
  source: { type: "string", default: "simulated" },
  stream: { type: "string" },
  bus: { type: "string", default: "embedded" },
  roles: { type: "string", default: "all" },
  store: { type: "string", default: "embedded" },
  llm: { type: "string", default: "rules" },
  "quota-groups": { type: "string", default: "10" },
  rps: { type: "string", default: "20" },
  "max-concurrent": { type: "string" },
  clients: { type: "string", default: "100" },
  "cameras-per-client": { type: "string", default: "20" },
  set: { type: "string", multiple: true, default: [] as string[] },
  expect: { type: "string", multiple: true, default: [] as string[] },
  saturate: { type: "boolean", default: false },
  report: { type: "string" },
  title: { type: "string" },
  profile: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

const within = (option: string, text: string, least: number, most: number, isWhole = true): number => {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  const fits = value >= least && value <= most && (!isWhole || Number.isInteger(value));
  if (fits) return value;
  throw new Error(
    `--${option} takes a ${isWhole ? "whole number" : "number"} from ${least} to ${most}, not ${JSON.stringify(text)}`,
  );
};

const oneOf = <Name extends string>(option: string, text: string, names: readonly Name[]): Name => {
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  throw new Error(`--${option} takes ${names.join(" or ")}, not ${JSON.stringify(text)}`);
};

const readLlm = (text: string): LoadOptions["llm"] => {
  if (text === "rules") return text;
  const latency = /^sim:(\S+)$/.exec(text)?.[1];
  if (latency !== undefined) return { latency };
  throw new Error(`--llm takes rules or sim:LATENCY such as sim:1s or sim:1-3s, not ${JSON.stringify(text)}`);
};

/** Null for `--help`; throws one line for what is wrong. */
export const parseLoad = (words: readonly string[]): LoadOptions | null => {
  const { values } = parseArgs({ args: [...words], options: flags });
  if (values.help) return null;
  const bus = oneOf("bus", values.bus, ["embedded", "kafka"]);
  const isSplit = oneOf("roles", values.roles, ["all", "split"]) === "split";
  if (isSplit && bus !== "kafka") throw new Error("--roles split needs --bus kafka: the embedded log belongs to one process");
  const source = oneOf("source", values.source, ["simulated", "clip", "rtsp"]);
  if (values.stream !== undefined && source !== "rtsp") throw new Error("--stream needs --source rtsp: it is what that sends");
  return {
    cameras: within("cameras", values.cameras, 1, 10_000),
    fps: within("fps", values.fps, 0.05, 30, false),
    durationS: within("duration", values.duration, 1, 86_400, false),
    warmUpS: within("warm-up", values["warm-up"], 0, 3_600, false),
    source,
    stream: parseStream(values.stream ?? streamUsual),
    bus,
    store: oneOf("store", values.store, ["embedded", "redis"]),
    llm: readLlm(values.llm),
    clients: within("clients", values.clients, 1, 10_000),
    camerasPerClient: within("cameras-per-client", values["cameras-per-client"], 1, 10_000),
    isSplit,
    maxConcurrent: values["max-concurrent"] === undefined ? null : within("max-concurrent", values["max-concurrent"], 1, 10_000),
    quotaGroups: within("quota-groups", values["quota-groups"], 1, 100),
    rps: within("rps", values.rps, 1, 100_000),
    set: values.set,
    expect: values.expect.map(parseExpectation),
    saturate: values.saturate,
    report: values.report ?? null,
    title: values.title ?? null,
    profileDir: values.profile ?? null,
  };
};
