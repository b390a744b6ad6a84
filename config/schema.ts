/**
 * The configuration: one strict tree, its sections in the order of the data's way. Every leaf has a default, its unit
 * in its name, and a sentence that says what it does. `load.ts` fills it; everything else is handed the slice it needs.
 */
import { z } from "zod";
import { cameraFields } from "../protocols/camera.ts";
import { candidateDefaults, prefilters } from "../protocols/candidate.ts";
import { hasOnePlace, onePlace, SecretReference, secretFields } from "./secrets.ts";

const milliseconds = (min: number, max: number) => z.int().min(min).max(max);
const hourMs = 3_600_000;
const unitBytes = { "": 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** A number of bytes, or text such as `10GiB`. */
const bytes = (min: number, max: number) =>
  z.preprocess((value) => {
    const match = typeof value === "string" ? /^(\d+(?:\.\d+)?)\s*([KMGT]i?B|B|)$/.exec(value.trim()) : null;
    return match ? Math.round(Number(match[1]) * unitBytes[match[2] as keyof typeof unitBytes]) : value;
  }, z.int().min(min).max(max));

const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `expected a URL that starts with ${protocols.map((each) => `${each}//`).join(" or ")}`,
  });
const hostAndPort = z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:/,]+):\d{1,5}$/, "expected host:port");
const name = z.string().regex(/^[\w.-]{1,64}$/, "expected 1 to 64 letters, digits, points, dashes or underscores");

export const roleNames = ["eyes", "task-generator", "scheduler", "aggregator", "edge"] as const;

const Preview = z.strictObject({
  ws: z.boolean().default(true).describe("Pictures to WebSocket clients that ask for them"),
  bus: z.boolean().default(false).describe("Pictures on kafka.tracksTopic"),
  quality: z.int().min(1).max(100).default(75).describe("JPEG quality"),
  maxFps: z.number().min(0.1).max(30).default(10).describe("Most pictures per second"),
});

const Camera = z.strictObject({
  ...cameraFields,
  preview: Preview.prefault({}).describe("Pictures of this camera for viewers; cameras.preview when left out"),
  login: SecretReference.optional().describe("Where `user:password` for the address is kept, or the whole address"),
});

const cameras = z.strictObject({
  defaultFps: z.number().min(0.05).max(30).default(2).describe("Frames per second of a camera that names none"),
  preview: Preview.prefault({}),
  maxCameras: z.int().min(0).max(10_000).default(1000).describe("Most cameras of one process; one more is refused"),
  allowHosts: z
    .array(z.string().min(1))
    .default([])
    .describe("Hosts that a camera's address may name although they are loopback, link-local or otherwise held back"),
  mediaDirs: z
    .array(z.string().min(1))
    .default([])
    .describe("Folders, beside .cache/media and .data/media, whose files may be played"),
  openTimeoutMs: milliseconds(100, 120_000).default(10_000).describe("Time for a camera to deliver its first frame"),
  staleMs: milliseconds(500, hourMs).default(5_000).describe("Time without a frame after which a camera is stale"),
  frozenMs: milliseconds(1_000, hourMs).default(30_000).describe("Time of the very same picture after which a camera is frozen"),
  reconnectMinMs: milliseconds(50, 60_000).default(1_000).describe("First pause before a camera is opened again"),
  reconnectMaxMs: milliseconds(50, hourMs).default(30_000).describe("Longest pause before a camera is opened again"),
  list: z.array(Camera).max(10_000).default([]).describe("The cameras; written where the id has no record yet"),
});

const cocoTrafficClasses = ["person", "bicycle", "car", "motorcycle", "bus", "truck", "traffic light", "stop sign"];

const detector = z.strictObject({
  model: z.string().min(1).default("auto").describe("Path of an ONNX model, or auto: YOLOX-Nano, fetched at first need"),
  inputSize: z.int().min(160).max(1280).multipleOf(32).default(416).describe("Side of the model's input, pixels"),
  workers: z
    .union([z.literal("auto"), z.int().min(1).max(64)], "expected auto or a number from 1 to 64")
    .default("auto")
    .describe("Detector workers; auto is one per core"),
  confidence: z.number().min(0).max(1).default(0.35).describe("Least confidence of a detection"),
  iou: z.number().min(0).max(1).default(0.5).describe("Overlap above which the weaker of two boxes is dropped"),
  maxDetections: z.int().min(1).max(1000).default(200).describe("Most detections of one frame"),
  allowedClasses: z
    .array(z.string().min(1))
    .default(cocoTrafficClasses)
    .describe("Classes that are reported; traffic_light and traffic light are the same; empty allows all"),
  executionProviders: z.array(name).min(1).default(["cpu"]).describe("ONNX Runtime providers in order of preference"),
});

const tracker = z.strictObject({
  maxAgeFrames: z.int().min(1).max(1000).default(30).describe("Frames that a track outlives without a detection"),
  maxLostMs: milliseconds(100, 600_000).default(3_000).describe("Time of the video that a track outlives without a detection"),
  minHits: z.int().min(1).max(100).default(3).describe("Detections that confirm a track"),
});

const grouping = z.strictObject({
  distancePx: z
    .number()
    .min(1)
    .max(10_000)
    .default(150)
    .describe("Greatest distance of centres within a group, pixels of the frame"),
  relativeDistance: z
    .number()
    .min(0.1)
    .max(100)
    .nullable()
    .default(null)
    .describe("Greatest distance as a multiple of the two boxes' mean diagonal; takes the place of distancePx"),
  minMembers: z.int().min(2).max(100).default(2).describe("Fewest members of a group"),
  maxDiameterPx: z.number().min(1).nullable().default(null).describe("Greatest width or height of a group; null sets no bound"),
  cropMarginPx: z.int().min(0).max(1000).default(12).describe("Margin of an evidence picture around its group"),
  cropQuality: z.int().min(1).max(100).default(90).describe("JPEG quality of an evidence picture"),
  cropMaxBytes: bytes(1_024, 2 ** 20)
    .default(65_536)
    .describe("Most bytes of one evidence picture"),
});

const tasks = z.strictObject({
  minMembers: z
    .int()
    .min(1)
    .max(100)
    .default(candidateDefaults.minMembers)
    .describe("Fewest members of a group worth a verdict; what the rules hold for a danger is worth one in any case"),
  prefilter: z
    .enum(prefilters)
    .default(candidateDefaults.prefilter)
    .describe("Groups worth a verdict: two vehicles, or a person and a vehicle; at least one vehicle; or any"),
  cooldownMs: milliseconds(0, hourMs)
    .default(candidateDefaults.cooldownMs)
    .describe("Time before the same group of a camera is assessed again; a group that got worse does not wait"),
  refreshMs: milliseconds(0, hourMs)
    .default(candidateDefaults.refreshMs)
    .describe("Time before a group that has not changed is assessed again, such as a parked queue"),
  dangerRefreshMs: milliseconds(0, hourMs)
    .default(candidateDefaults.dangerRefreshMs)
    .describe("The same while the rules hold the group for a danger; below tasks.deadlineMs, or its incident ends meanwhile"),
  changeLeast: z
    .number()
    .min(0)
    .max(1)
    .default(candidateDefaults.changeLeast)
    .describe("Change of members, distances, speed or place, from 0 to 1, from which on a group is another one; 0: always"),
  pictureBits: z
    .int()
    .min(-1)
    .max(64)
    .default(candidateDefaults.pictureBits)
    .describe("Pictures whose hashes differ in at most so many of 64 bits show the same; -1 compares none"),
  maxAgeMs: milliseconds(500, 600_000)
    .default(10_000)
    .describe("Age from which on a frame's groups get no task, unless the rules hold one of them for a danger"),
  deadlineMs: milliseconds(500, 600_000).default(10_000).describe("Time from capture after which an assessment is given up"),
});

const limits = {
  rps: z.number().positive().optional().describe("Requests per second"),
  rpm: z.number().positive().optional().describe("Requests per minute"),
  tps: z.number().positive().optional().describe("Tokens per second"),
  tpm: z.number().positive().optional().describe("Tokens per minute"),
  ramp: z.number().min(1).optional().describe("Requests by which one second may exceed the second before it"),
};

const caps = {
  softCost: z.number().min(0).optional().describe("From here on only medium and high candidates are asked about"),
  hardCost: z.number().min(0).optional().describe("From here on the rules assess alone"),
  softTokens: z.int().min(0).optional().describe("As softCost, in tokens"),
  hardTokens: z.int().min(0).optional().describe("As hardCost, in tokens"),
};

const Key = z
  .strictObject({
    id: name.describe("Name of the key in metrics and logs"),
    ...secretFields,
    priority: z.int().min(1).max(1000).default(1).describe("1 is taken first under selection: weighted"),
    maxInFlight: z.int().min(1).max(10_000).optional().describe("Most calls in flight with this key"),
    enabled: z.boolean().default(true).describe("False keeps the key without using it"),
  })
  .refine(hasOnePlace, onePlace);

const dashscope = "https://dashscope.aliyuncs.com/compatible-mode/v1";
const baseUrl = url("http:", "https:").default(dashscope);
const model = z.string().min(1).max(200).default("qwen-vl-plus");

const Group = z.strictObject({
  name: name.describe("The provider account whose limits the keys share"),
  baseUrl: baseUrl.describe("OpenAI-compatible API; llm.baseUrl when left out"),
  model: model.describe("llm.model when left out"),
  limits: z.strictObject(limits).prefault({}),
  maxInFlight: z.int().min(1).max(10_000).optional().describe("Most calls in flight of this group"),
  price: z
    .strictObject({
      input: z.number().min(0).describe("Of a million tokens of questions"),
      output: z.number().min(0).describe("Of a million tokens of answers"),
    })
    .optional()
    .describe("What the ledger counts, in llm.budget.currency"),
  keys: z.array(Key).min(1).max(1000),
});

const llm = z.strictObject({
  maxConcurrentTasks: z.int().min(1).max(10_000).default(50).describe("Most calls in flight"),
  minKeys: z.int().min(0).max(1000).default(3).describe("Fewer usable keys than this is a warning"),
  baseUrl: baseUrl.describe("API of groups that name none"),
  model: model.describe("Model of groups that name none"),
  language: z.enum(["en", "zh"]).default("en").describe("Language of descriptions and risk types"),
  timeoutMs: milliseconds(100, 600_000).default(30_000).describe("Time of one call"),
  retriesMax: z.int().min(0).max(10).default(2).describe("Further calls after a failed one"),
  selection: z.enum(["least_loaded", "round_robin", "weighted"]).default("least_loaded").describe("Which key of a group is next"),
  limits: z.strictObject(limits).prefault({}).describe("Over all groups together"),
  headroom: z
    .number()
    .min(0)
    .max(0.9)
    .default(0.05)
    .describe("Share of every limit left unused, since calls travel unevenly; 0.5 where two schedulers share an account"),
  hedgeShare: z
    .number()
    .min(0)
    .max(0.5)
    .default(0)
    .describe("Share of calls that may be second ones, for high candidates whose first call is slow; 0 makes none"),
  shadow: z
    .strictObject({
      group: name.describe("One of llm.groups; it takes no other calls"),
      share: z.number().min(0).max(1).describe("Share of the answered tasks that it is asked about too"),
    })
    .nullable()
    .default(null)
    .describe("A second model that is asked on the side, to be compared; its answers are never published"),
  budget: z
    .strictObject({
      currency: z.string().min(1).max(8).default("USD").describe("Of prices and caps; a label"),
      day: z.strictObject(caps).prefault({}).describe("Of all calls of a day (UTC)"),
      cameraDay: z.strictObject(caps).prefault({}).describe("Of each camera and day"),
    })
    .prefault({}),
  cooldown: z
    .strictObject({
      adaptive: z.boolean().default(true).describe("Cool longer the more of a key's calls failed, else always fixedMs"),
      minMs: milliseconds(0, hourMs).default(10_000).describe("Shortest rest of a failing key"),
      maxMs: milliseconds(0, hourMs).default(120_000).describe("Longest rest of a failing key"),
      fixedMs: milliseconds(0, hourMs).default(60_000).describe("Rest of a failing key when not adaptive"),
    })
    .prefault({}),
  groups: z.array(Group).max(100).default([]).describe("Quota groups; without any, rules alone assess"),
});

const Webhook = z.strictObject({
  name,
  url: url("http:", "https:"),
  minLevel: z.enum(["low", "medium", "high"]).default("high").describe("Least risk that is sent"),
  secret: SecretReference.optional().describe("Signs the body by HMAC-SHA256"),
});

const alerts = z.strictObject({
  suppressMs: milliseconds(0, 24 * hourMs)
    .default(5_000)
    .describe("Time in which a further alert of one device is suppressed"),
  allowHosts: z.array(z.string().min(1)).default([]).describe("Webhook hosts allowed although loopback or link-local"),
  webhooks: z.array(Webhook).max(100).default([]),
});

const bus = z.strictObject({
  driver: z.enum(["embedded", "kafka"]).default("embedded").describe("Where topics are kept; `bus: kafka` is the short form"),
  spoolMaxBytes: bytes(2 ** 20, 2 ** 50)
    .default(4 * 2 ** 30)
    .describe("Most bytes kept while the broker is away"),
});

const Topic = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.-]{1,249}$/, "expected a Kafka topic name")
    .optional(),
  partitions: z.int().min(1).max(10_000).optional(),
  replication: z.int().min(1).max(100).optional(),
  retentionMs: z.int().min(60_000).optional(),
  maxBytes: bytes(1_024, 64 * 2 ** 20).optional(),
});
export const topicNames = ["cameras", "detection-results", "assessment-tasks", "risk-assessment-results", "incidents"] as const;

const kafka = z.strictObject({
  bootstrapServers: z.array(hostAndPort).min(1).default(["localhost:9092"]).describe("Brokers to begin with"),
  clientId: name.default("vedette").describe("How the broker's logs call this process"),
  format: z.enum(["msgpack", "json"]).default("msgpack").describe("Values on the wire; json is the seeds' original shape"),
  addressMap: z
    .record(hostAndPort, hostAndPort)
    .default({})
    .describe("Advertised host:port to the host:port to be dialled instead, e.g. Kafka:9092 to localhost:9092"),
  topics: z.partialRecord(z.enum(topicNames), Topic).default({}).describe("Other names and sizes of the topics"),
  createTopics: z.boolean().default(true).describe("Create topics that are missing"),
  replication: z.int().min(1).max(100).default(3).describe("Copies of a topic, clamped to the live brokers"),
  tracksTopic: z
    .string()
    .regex(/^[\w.-]{1,249}$/)
    .nullable()
    .default(null)
    .describe("Also write tracks there, in seed 004's shape"),
  compression: z.enum(["none", "gzip", "snappy", "zstd"]).default("snappy").describe("Of batches"),
  acks: z
    .union([z.literal("all"), z.literal(-1), z.literal(1), z.literal(0)], "expected all, 1 or 0")
    .default("all")
    .describe("Copies that confirm a write"),
  idempotent: z.boolean().default(true).describe("The broker drops a batch that it already has"),
  lingerMs: milliseconds(0, 10_000).default(10).describe("Time to wait for a fuller batch"),
  batchBytes: bytes(1_024, 16 * 2 ** 20)
    .default(32_768)
    .describe("A batch of this size is sent at once"),
  retriesMax: z.int().min(0).max(100).default(3).describe("Further tries of a failed request"),
  retryBackoffMs: milliseconds(1, 60_000).default(100).describe("Pause before the first further try"),
  requestTimeoutMs: milliseconds(1_000, 600_000).default(30_000).describe("Time of one request"),
  connectTimeoutMs: milliseconds(100, 60_000).default(5_000).describe("Time to connect to a broker"),
  sessionTimeoutMs: milliseconds(6_000, 1_800_000).default(30_000).describe("A consumer silent for so long loses its partitions"),
  heartbeatMs: milliseconds(100, 600_000).default(3_000).describe("Period of a consumer's sign of life"),
  fetchBytes: bytes(1_024, 64 * 2 ** 20)
    .default(2 ** 20)
    .describe("Most bytes fetched per partition"),
  fetchMaxWaitMs: milliseconds(1, 60_000).default(500).describe("Time the broker may wait for more records"),
  ssl: z.boolean().default(false).describe("Encrypt the connection"),
  sasl: z
    .strictObject({
      mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]),
      username: z.string().min(1),
      ...secretFields,
    })
    .refine(hasOnePlace, onePlace)
    .nullable()
    .default(null)
    .describe("Login; env or file says where the password is kept"),
});

const store = z.strictObject({
  redis: url("redis:", "rediss:").nullable().default(null).describe("Address of a Redis; null keeps the store in data.dir"),
  password: SecretReference.optional().describe("Where the Redis password is kept"),
  publish: z.boolean().default(true).describe("Frames and verdicts to Redis too, where the traffic monitor's programs read them"),
  legacyImages: z.boolean().default(false).describe("With the pictures as base64 in them; else with their ids alone"),
});

const server = z.strictObject({
  host: z.string().min(1).default("127.0.0.1").describe("Address to listen on; any but loopback needs auth.tokens"),
  port: z.int().min(0).max(65_535).default(8080).describe("0 takes a free one and prints it"),
  corsOrigins: z.array(z.string().min(1)).default([]).describe("Other sites whose pages may call the API"),
  maxClients: z.int().min(1).max(100_000).default(2_000).describe("Most WebSocket clients"),
});

const Token = z
  .strictObject({
    name: name.describe("Who it is, in logs"),
    ...secretFields,
    role: z.enum(["viewer", "operator"]).describe("Viewers look, operators also change"),
    cameras: z.array(cameraFields.id).optional().describe("The only cameras it may see"),
  })
  .refine(hasOnePlace, onePlace);

const auth = z.strictObject({ tokens: z.array(Token).max(1000).default([]).describe("Who may use the API") });

const data = z.strictObject({
  dir: z.string().min(1).default(".data").describe("Everything that must survive a restart"),
  maxBytes: bytes(16 * 2 ** 20, 2 ** 50)
    .default(10 * 2 ** 30)
    .describe("Most bytes of log, store and evidence"),
  minFreeBytes: bytes(0, 2 ** 50)
    .default(512 * 2 ** 20)
    .describe("Free disk below which new work is not admitted"),
});

const observability = z.strictObject({
  port: z.int().min(0).max(65_535).nullable().default(null).describe("Of /livez, /readyz and /metrics; null is server.port"),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info").describe("Least level of a log line"),
});

export const ConfigSchema = z.strictObject({
  roles: z
    .array(z.enum(roleNames))
    .min(1)
    .default([...roleNames])
    .describe("What this process does; `all` is the short form"),
  cameras: cameras.prefault({}),
  detector: detector.prefault({}),
  tracker: tracker.prefault({}),
  grouping: grouping.prefault({}),
  tasks: tasks.prefault({}),
  llm: llm.prefault({}),
  alerts: alerts.prefault({}),
  bus: bus.prefault({}),
  kafka: kafka.prefault({}),
  store: store.prefault({}),
  server: server.prefault({}),
  auth: auth.prefault({}),
  data: data.prefault({}),
  observability: observability.prefault({}),
});

/** Also of lists and tuples: a mapped type keeps those. */
type Frozen<T> = T extends object ? { readonly [Key in keyof T]: Frozen<T[Key]> } : T;

export type Config = Frozen<z.output<typeof ConfigSchema>>;
