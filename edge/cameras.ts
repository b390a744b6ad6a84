/**
 * The cameras this system watches. Records of the topic `cameras` are the truth, the highest `ownerEpoch` of an id wins;
 * configured cameras are seeds, written only where an id has neither record nor tombstone. Beside them stand session
 * cameras, begun over WebSocket: they live in this process only, and cover a record of the same id until they end.
 */
import type { CameraRecord, CameraSettings, CameraStatus } from "../protocols/camera.ts";
import { createCodec } from "../protocols/codec.ts";
import { topics } from "../protocols/topics.ts";
import type { Bus, BusRecord, Consumer, Outgoing } from "../runtime/bus.ts";
import { whenUp } from "../runtime/bus-outage.ts";
import type { Cancel, Clock } from "../runtime/clock.ts";
import { Fault, reasonOf } from "../runtime/errors.ts";
import type { Log } from "../runtime/log.ts";
import { type Random, traceId } from "../runtime/random.ts";
import { maskAddress } from "./cameras/address.ts";
import { type Book, type CameraView, createBook, type Entry, type Fleet } from "./cameras/book.ts";
import { noteFrame, noteState } from "./cameras/health.ts";
import { readAll } from "./cameras/records.ts";
import { seedingOf } from "./cameras/seeding.ts";

/** The fields that are given change; the others stay. */
export type CameraPatch = { readonly [Field in Exclude<keyof CameraSettings, "id">]?: CameraSettings[Field] | undefined };
export type CameraAddition = Omit<CameraSettings, "id"> & { readonly id?: number | undefined };
export type SessionStart = { readonly outcome: "started" | "replaced" | "unchanged"; readonly view: CameraView };

export type CameraRegistry = {
  /** Reads the records and starts the cameras. Without the bus it starts the seeds, and goes on trying. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly list: () => readonly CameraView[];
  readonly get: (id: number) => CameraView | null;
  /** With the address as it is, for opening it. */
  readonly settings: (id: number) => CameraSettings | null;
  readonly add: (wanted: CameraAddition) => Promise<CameraView>;
  readonly patch: (id: number, patch: CameraPatch) => Promise<CameraView>;
  readonly remove: (id: number) => Promise<void>;
  readonly startSession: (id: number, url: string) => Promise<SessionStart>;
  readonly stopSession: (id: number) => void;
  readonly noteStatus: (status: CameraStatus) => void;
  readonly noteFrame: (cameraId: number, capturedAt: number) => void;
  /** Why the records are not read yet; null when they are. */
  readonly trouble: () => string | null;
};

export type CameraRegistryPorts = {
  readonly bus: Bus;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Throws `Fault("source_refused")` for an address that must not be opened. */
  readonly checkAddress: (url: string) => void | Promise<void>;
  readonly seeds: readonly CameraSettings[];
  /** Most cameras at once. */
  readonly limit: number;
  /** False where no camera can run: then none can be begun for a session. Default true. */
  readonly hasEyes?: boolean;
  /** Called after a camera left the list. */
  readonly removed?: (id: number, reason: string) => void;
};

const topic = topics.cameras;
const retryMinMs = 1_000;
const retryMaxMs = 30_000;
const sessionFps = 2;

const recordOf = (settings: CameraSettings, ownerEpoch: number, deleted = false): CameraRecord => ({
  type: "camera.record",
  ...settings,
  ownerEpoch,
  deleted,
  configured: false,
});

/** The topic as the registry uses it. */
const createRecords = ({ bus, random, log }: CameraRegistryPorts) => {
  const codec = createCodec(topic.messages);
  const read = (record: BusRecord): CameraRecord | null => {
    const decoded = codec.read(record.type, record.bytes);
    if (decoded.ok) return decoded.message as CameraRecord; // the codec knows no other message
    log.warn("request.failed", { topic: topic.name, partition: record.partition, offset: record.offset, ...decoded.failure });
    return null;
  };
  const outgoing = (record: CameraRecord): Outgoing => ({
    topic: topic.name,
    key: topic.keyOf(record),
    id: topic.idOf(record),
    type: record.type,
    trace: traceId(random),
    bytes: codec.encode(record),
  });
  const taking = (take: (record: CameraRecord) => void) => (record: BusRecord) => {
    const camera = read(record);
    if (camera) take(camera);
  };
  return {
    readAll: (take: (record: CameraRecord) => void) => readAll(bus, topic.name, taking(take)),
    follow: (from: Readonly<Record<number, number>>, take: (record: CameraRecord) => void) =>
      bus.follow(topic.name, from, taking(take)),
    append: (records: readonly CameraRecord[]) => bus.append(records.map(outgoing)),
  };
};

/** Keeps the book in step with the topic; `ready` throws while it is not. */
const createSync = (ports: CameraRegistryPorts, book: Book, records: ReturnType<typeof createRecords>) => {
  const { bus, clock, log, seeds } = ports;
  let trouble: string | null = "the records are not read yet";
  let stopped = false;
  let consumer: Consumer | null = null;
  let cancelRetry: Cancel = () => {};

  const load = async (): Promise<void> => {
    const position = await records.readAll(book.accept);
    const { write, overruled } = seedingOf(seeds, book.records());
    if (write.length > 0) await records.append(write);
    for (const record of write) book.accept(record);
    for (const id of overruled) {
      const warning = `camera ${id} of the configuration is not used as configured: it was changed or removed over HTTP, which has the last word`;
      log.warn("config.warning", { cameraId: id, warning });
    }
    consumer = await records.follow(position, (record) => {
      if (!stopped && book.accept(record)) book.apply(book.entry(record.id), "Removed");
    });
    trouble = null;
    book.applyAll();
  };

  const startSeeds = (): void => {
    for (const seed of seeds) {
      const entry = book.entry(seed.id);
      if (entry.record) continue;
      entry.seed = seed;
      entry.epoch = Math.max(entry.epoch, 0);
    }
    book.applyAll();
  };

  const attempt = async (retryInMs: number): Promise<void> => {
    try {
      await load();
    } catch (thrown) {
      if (stopped) return;
      trouble = reasonOf(thrown);
      if (bus.health().status === "up") log.warn("request.failed", { topic: topic.name, reason: trouble, retryInMs });
      startSeeds();
      cancelRetry = whenUp(bus, clock, retryInMs, () => void attempt(Math.min(retryInMs * 2, retryMaxMs)));
    }
  };

  return {
    start: () => attempt(retryMinMs),
    async stop() {
      stopped = true;
      cancelRetry();
      await consumer?.stop();
    },
    ready() {
      if (trouble !== null) throw new Fault("unavailable", `the camera records cannot be changed: ${trouble}`);
    },
    trouble: () => trouble,
  };
};

export const createCameraRegistry = (ports: CameraRegistryPorts): CameraRegistry => {
  const { fleet, clock, checkAddress, limit, hasEyes = true, removed = () => {} } = ports;
  const book = createBook(fleet, clock, removed);
  const records = createRecords(ports);
  const sync = createSync(ports, book, records);
  let lastSessionEpoch = 0;
  let turn: Promise<unknown> = Promise.resolve();

  /** One change after the other, so that two cannot take the same epoch. */
  const inTurn = <T>(change: () => Promise<T>): Promise<T> => {
    const next = turn.then(change);
    turn = next.catch(() => {}); // the caller sees the failure; the queue goes on
    return next;
  };

  const write = async (settings: CameraSettings, deleted: boolean): Promise<void> => {
    sync.ready();
    const entry = book.entry(settings.id);
    const record = recordOf(settings, entry.epoch + 1, deleted);
    const [appended] = await records.append([record]);
    if (appended?.duplicate) throw new Fault("conflict", `camera ${settings.id} was changed elsewhere at this moment; try again`);
    entry.session = null;
    book.accept(record);
    book.apply(entry, "Removed");
  };

  const view = (id: number): CameraView => {
    const found = book.view(id);
    if (!found) throw new Fault("unknown_camera", `there is no camera ${id}`);
    return found;
  };
  const refuseOverLimit = (): void => {
    if (book.count() >= limit)
      throw new Fault("camera_limit", `${limit} cameras are watched, which is the most; remove one first`);
  };
  /** A record below comes back to light, under an epoch above the session's. */
  const endSession = (entry: Entry): void => {
    entry.session = null;
    entry.epoch += 1;
    book.apply(entry, "Stopped by client");
  };

  return {
    start: sync.start,
    async stop() {
      await turn;
      await sync.stop();
    },
    list: book.views,
    get: book.view,
    settings: book.current,
    trouble: sync.trouble,

    add: (wanted) =>
      inTurn(async () => {
        sync.ready();
        const id = wanted.id ?? book.freeId();
        const entry = book.peek(id);
        if (entry?.record && !entry.record.deleted) throw new Fault("conflict", `camera ${id} exists; change it by PATCH`);
        if (!entry?.session) refuseOverLimit();
        await checkAddress(wanted.url);
        await write({ ...wanted, id }, false);
        return view(id);
      }),

    patch: (id, patch) =>
      inTurn(async () => {
        const { settings } = book.find(id);
        const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
        // A client that sends back what it was shown does not mean the mask.
        const url = patch.url === undefined || patch.url === maskAddress(settings.url) ? settings.url : patch.url;
        if (url !== settings.url) await checkAddress(url);
        await write({ ...settings, ...given, id, url }, false);
        return view(id);
      }),

    remove: (id) =>
      inTurn(async () => {
        const { entry, settings } = book.find(id);
        if (entry.record || entry.seed) await write(settings, true);
        else endSession(entry);
      }),

    startSession: (id, url) =>
      inTurn(async () => {
        if (!hasEyes) throw new Fault("unavailable", "no camera is watched in this process; add it by POST /api/cameras");
        const before = book.current(id);
        if (before?.url === url && before.enabled) return { outcome: "unchanged", view: view(id) };
        if (!before) refuseOverLimit();
        await checkAddress(url);
        const entry = book.entry(id);
        entry.session = { fps: sessionFps, loop: false, name: `camera ${id}`, ...before, id, url, enabled: true };
        // A session leaves no record; by the clock a later one stands above one from before a restart.
        entry.epoch = Math.max(entry.epoch + 1, lastSessionEpoch + 1, Math.floor(clock.nowMs() / 1000));
        lastSessionEpoch = entry.epoch;
        book.apply(entry, "");
        return { outcome: before ? "replaced" : "started", view: view(id) };
      }),

    stopSession(id) {
      const { entry } = book.find(id);
      if (!entry.session) throw new Fault("conflict", `camera ${id} is configured; end it by DELETE /api/cameras/${id}`);
      endSession(entry);
    },

    noteStatus(status) {
      const entry = book.peek(status.cameraId);
      if (!entry?.watch) return;
      entry.status = status;
      noteState(entry.watch, status.state, clock.nowMs());
    },

    noteFrame(cameraId, capturedAt) {
      const watch = book.peek(cameraId)?.watch;
      if (watch) noteFrame(watch, capturedAt, clock.nowMs());
    },
  };
};
