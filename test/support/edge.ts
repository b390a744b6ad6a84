/** Fakes for the ports of the edge, and builders of what it shows. */

import type { AuthToken } from "../../edge/auth.ts";
import type { Fleet } from "../../edge/cameras/book.ts";
import { limitProbe, type Probe } from "../../edge/cameras/probe.ts";
import { type CameraRegistry, type CameraRegistryPorts, createCameraRegistry } from "../../edge/cameras.ts";
import type { LiveSocket } from "../../edge/live/connection.ts";
import { createLiveHub, type LiveHub } from "../../edge/live/hub.ts";
import type { Check, EdgePorts, ServerSettings } from "../../edge/ports.ts";
import { type BoardPorts, createQuotaBoard } from "../../edge/quota.ts";
import type { CameraSettings } from "../../protocols/camera.ts";
import { createCodec } from "../../protocols/codec.ts";
import type { LiveDetection, TrafficGroup } from "../../protocols/detection.ts";
import { topics } from "../../protocols/topics.ts";
import type { RiskUpdate, Verdict } from "../../protocols/verdict.ts";
import type { Appended, Bus, BusRecord, Outgoing } from "../../runtime/bus.ts";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { Fault } from "../../runtime/errors.ts";
import { silentLog } from "../../runtime/log.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import { seededRandom } from "../../runtime/random.ts";
import type { Store } from "../../runtime/store.ts";
import { accountsOf } from "./accounts.ts";

/** A bus of arrays: what is appended is delivered to followers in a microtask. Groups are not for the edge. */
export type ArrayBus = Bus & {
  readonly records: (topic: string) => readonly BusRecord[];
  /** Appends and reads fail while set. */
  away: boolean;
  /** Forgets the records of a partition below `offset`, as retention does. */
  readonly prune: (topic: string, partition: number, offset: number) => void;
};

type Log = { records: BusRecord[]; oldest: number; next: number };
type Follower = { readonly topic: string; readonly take: (record: BusRecord) => void; readonly next: Map<number, number> };

export const arrayBus = (clock: Clock = systemClock): ArrayBus => {
  const logs = new Map<string, Log[]>();
  const followers = new Set<Follower>();
  const partitionsOf = (topic: string): Log[] => {
    const found = logs.get(topic);
    if (found) return found;
    const count = Object.values(topics).find(({ name }) => name === topic)?.partitions ?? 1;
    const made = Array.from({ length: count }, () => ({ records: [], oldest: 0, next: 0 }));
    logs.set(topic, made);
    return made;
  };
  const deliver = (follower: Follower): void => {
    partitionsOf(follower.topic).forEach((log, partition) => {
      for (const record of log.records.filter(({ offset }) => offset >= (follower.next.get(partition) ?? 0))) {
        follower.next.set(partition, record.offset + 1);
        follower.take(record);
      }
    });
  };
  const refuseAway = (): void => {
    if (bus.away) throw new Fault("unavailable", "the bus is away");
  };
  const place = (record: Outgoing): Appended => {
    const partitions = partitionsOf(record.topic);
    const partition = Number(record.key) % partitions.length;
    const log = partitions[partition];
    if (!log) throw new Error(`no partition for key ${record.key}`);
    const before = log.records.find(({ id }) => id === record.id);
    if (before) return { topic: record.topic, partition, offset: before.offset, duplicate: true };
    const offset = log.next++;
    log.records.push({ ...record, partition, offset, appendedAtMs: clock.nowMs() });
    return { topic: record.topic, partition, offset, duplicate: false };
  };

  const bus: ArrayBus = {
    driver: "memory",
    away: false,
    records: (topic) => partitionsOf(topic).flatMap(({ records }) => records),
    prune(topic, partition, offset) {
      const log = partitionsOf(topic)[partition];
      if (!log) return;
      log.records = log.records.filter((record) => record.offset >= offset);
      log.oldest = offset;
    },
    ensure: async () => {},
    async append(records) {
      refuseAway();
      const places = records.map(place);
      queueMicrotask(() => followers.forEach(deliver));
      return places;
    },
    consume: () => Promise.reject(new Error("the edge joins no group")),
    async follow(topic, from, take) {
      refuseAway();
      const start = (log: Log, partition: number) =>
        from === "end" ? log.next : from === "earliest" ? 0 : (from[partition] ?? 0);
      const follower = { topic, take, next: new Map(partitionsOf(topic).map((log, index) => [index, start(log, index)])) };
      followers.add(follower);
      queueMicrotask(() => deliver(follower));
      return { pause() {}, resume() {}, commit: async () => {}, stop: async () => void followers.delete(follower) };
    },
    async read(topic, partition, offset, limit) {
      refuseAway();
      const records = partitionsOf(topic)[partition]?.records ?? [];
      return records.filter((record) => record.offset >= offset).slice(0, limit);
    },
    offsetAt: async () => 0,
    async states(topic) {
      refuseAway();
      return partitionsOf(topic).map(({ oldest, next }, partition) => ({ topic, partition, oldest, next }));
    },
    committed: async () => ({}),
    health: () => ({ status: bus.away ? "away" : "up", detail: "" }),
    close: async () => {},
  };
  return bus;
};

export const mapStore = (facts = new Map<string, Uint8Array>()): Store => ({
  driver: "memory",
  get: async (key) => facts.get(key) ?? null,
  async put(puts) {
    for (const { key, bytes } of puts) facts.set(key, bytes);
  },
  async delete(keys) {
    for (const key of keys) facts.delete(key);
  },
  list: async () => [],
  health: () => ({ status: "up", detail: "" }),
  close: async () => {},
});

export type FakeFleet = Fleet & {
  readonly running: Map<number, { readonly settings: CameraSettings; readonly ownerEpoch: number }>;
  readonly calls: string[];
};

export const fakeFleet = (): FakeFleet => {
  const running: FakeFleet["running"] = new Map();
  const calls: string[] = [];
  return {
    running,
    calls,
    start(settings, ownerEpoch) {
      running.set(settings.id, { settings, ownerEpoch });
      calls.push(`start ${settings.id} ${settings.url} @${ownerEpoch}`);
    },
    stop(id) {
      running.delete(id);
      calls.push(`stop ${id}`);
    },
  };
};

export type FakeSocket = LiveSocket & {
  readonly sent: string[];
  readonly sentBytes: Uint8Array[];
  readonly topics: Set<string>;
  buffered: number;
  closed: string | null;
};

export const fakeSocket = (): FakeSocket => {
  const socket: FakeSocket = {
    sent: [],
    sentBytes: [],
    topics: new Set(),
    buffered: 0,
    closed: null,
    send: (frame) => void (typeof frame === "string" ? socket.sent.push(frame) : socket.sentBytes.push(frame)),
    subscribe: (topic) => void socket.topics.add(topic),
    unsubscribe: (topic) => void socket.topics.delete(topic),
    bufferedBytes: () => socket.buffered,
    close: (code, reason) => {
      socket.closed = `${code} ${reason}`;
    },
    terminate: () => {
      socket.closed = "terminated";
    },
  };
  return socket;
};

/** A publisher over fake sockets, as the server's publish is over real ones. */
export const fakePublisher = (sockets: Iterable<FakeSocket>) => ({
  publish(topic: string, frame: string | Uint8Array) {
    for (const socket of sockets) if (socket.topics.has(topic)) socket.send(frame);
  },
  subscribers: (topic: string) => [...sockets].filter((socket) => socket.topics.has(topic)).length,
});

export const aCamera = (id: number, settings: Partial<CameraSettings> = {}): CameraSettings => ({
  id,
  name: `camera ${id}`,
  url: `sim://junction?seed=${id}`,
  fps: 2,
  loop: false,
  enabled: true,
  ...settings,
});

export const aGroup = (groupIndex: number, fields: Partial<TrafficGroup> = {}): TrafficGroup => ({
  groupIndex,
  groupKey: `g${groupIndex}`,
  objectCount: 2,
  bbox: [100, 120, 420, 360],
  classes: ["car", "person"],
  averageConfidence: 0.8,
  memberIndices: [0, 1],
  memberTrackIds: [7, 9],
  riskLevel: "medium",
  hazards: [{ type: "near-miss", memberTrackIds: [7, 9], evidence: "time to collision 1.4 s" }],
  spatial: { density: 0.2, avgSpacing: 120, minSpacing: 90, vehicles: 1, pedestrians: 1, pedVehicleMinDist: 90 },
  ...fields,
});

let made = 0;
export const aDetection = (cameraId: number, fields: Partial<LiveDetection> = {}): LiveDetection => {
  const capturedAt = fields.capturedAt ?? 1_700_000_000_000;
  made += 1;
  return {
    type: "detection_result",
    messageId: `018bcfe5-6800-7000-8000-${String(made).padStart(12, "0")}`,
    cameraId,
    timestamp: new Date(capturedAt).toISOString(),
    capturedAt,
    imageWidth: 1280,
    imageHeight: 720,
    detectedObjects: [
      { class: "car", confidence: 0.91, bbox: [110, 200, 300, 340], trackId: 7, speed: 42 },
      { class: "person", confidence: 0.74, bbox: [340, 180, 400, 330], trackId: 9 },
    ],
    trafficGroups: [aGroup(1)],
    hasDangerousDriving: true,
    maxRiskLevel: "medium",
    detectionLatency: 0.08,
    modelType: "yolox-nano",
    ...fields,
  };
};

export const aVerdict = (taskId: string, fields: Partial<Verdict> = {}): Verdict => ({
  taskId,
  groupIndex: 1,
  groupKey: "g1",
  status: "ok",
  verdict: "confirmed",
  riskLevel: "high",
  confidence: 0.9,
  assessedBy: "rules",
  description: "A car closes in on a pedestrian.",
  riskTypes: ["near-miss"],
  ...fields,
});

export const aRiskUpdate = (cameraId: number, fields: Partial<RiskUpdate> = {}): RiskUpdate => {
  made += 1;
  const messageId = fields.messageId ?? `018bcfe5-6800-7000-8000-${String(made).padStart(12, "0")}`;
  const taskId = `${messageId}_group1`;
  return {
    type: "risk_update",
    id: `${taskId}_update`,
    messageId,
    cameraId,
    capturedAt: 1_700_000_000_000,
    revision: 1,
    final: true,
    complete: true,
    hasDangerousDriving: true,
    maxRiskLevel: "high",
    results: [aVerdict(taskId)],
    taskIdsOfRequest: [taskId],
    ...fields,
  };
};

const eventCodec = createCodec(topics.incidents.messages);
export const asOutgoing = (update: RiskUpdate): Outgoing => ({
  topic: topics.incidents.name,
  key: topics.incidents.keyOf(update),
  id: topics.incidents.idOf(update),
  type: update.type,
  trace: "00000000000000000000000000000001",
  bytes: eventCodec.encode(update),
});

export type EdgeOptions = {
  readonly clock?: Clock;
  readonly bus?: ArrayBus;
  readonly store?: Store;
  readonly evidence?: EdgePorts["evidence"];
  readonly tokens?: readonly AuthToken[];
  readonly seeds?: readonly CameraSettings[];
  readonly limit?: number;
  readonly maxClients?: number;
  readonly checks?: Readonly<Record<string, Check>>;
  readonly server?: ServerSettings;
  readonly checkAddress?: CameraRegistryPorts["checkAddress"];
  readonly probe?: Probe;
  readonly llm?: EdgePorts["llm"];
  /** By default those of a process that has all, or all but the model. */
  readonly roles?: BoardPorts["roles"];
};

export type FakeEdge = EdgePorts & {
  readonly bus: ArrayBus;
  readonly fleet: FakeFleet;
  readonly live: LiveHub;
  readonly cameras: CameraRegistry;
};

/** The edge's ports with the real hub and registry over a bus of arrays and a fleet that only notes what it is told. */
export const fakeEdge = async (options: EdgeOptions = {}): Promise<FakeEdge> => {
  const { clock = systemClock, bus = arrayBus(clock), seeds = [], limit = 100, maxClients = 100 } = options;
  const metrics = createMetrics();
  const random = seededRandom(1);
  const fleet = fakeFleet();
  const checkAddress = options.checkAddress ?? (() => {});
  const base = { bus, clock, random, log: silentLog, metrics, version: "0.0.0-test" };
  const live = createLiveHub({ ...base, maxClients });
  const cameras = createCameraRegistry({ ...base, fleet, checkAddress, seeds, limit, removed: live.stopped });
  await cameras.start();
  await live.start();
  const { llm = null, store = mapStore() } = options;
  const roles = options.roles ?? new Set(["edge", "task-generator", ...(llm ? (["scheduler"] as const) : [])] as const);
  const accounts = llm?.accounts ?? accountsOf([], clock);
  return {
    ...base,
    ...{ llm, store },
    quota: createQuotaBoard({ roles, accounts, metrics, store, clock, owner: "fake" }),
    fleet,
    cameras,
    live,
    evidence: options.evidence ?? { read: async () => null },
    tree: () => ({ name: "vedette", state: "running", restarts: 0, restartsLeft: 5, children: [] }),
    checks: () => options.checks ?? { bus: { status: "up" } },
    probe: limitProbe(
      options.probe ?? (async () => ({ ok: true, codec: "h264", width: 640, height: 360, latencyMs: 12 })),
      checkAddress,
    ),
    tokens: options.tokens ?? [],
    server: options.server ?? { host: "127.0.0.1", allowedOrigins: [] },
  };
};
