/** The cameras in memory: for each id its record, the seed or session that stands for it, and what was seen of it. */
import {
  type CameraRecord,
  type CameraSettings,
  type CameraState,
  type CameraStatus,
  cameraFields,
} from "../../protocols/camera.ts";
import type { Clock } from "../../runtime/clock.ts";
import { Fault } from "../../runtime/errors.ts";
import { maskAddress } from "./address.ts";
import { createWatch, gradeOf, type Health, measuredFps, type Watch } from "./health.ts";

/** A camera of the records runs where it is placed; one that was begun over WebSocket runs here. */
export type Where = "as placed" | "here";

/** Whoever runs cameras in this process. Starting a running id replaces it. */
export type Fleet = {
  readonly start: (settings: CameraSettings, ownerEpoch: number, where: Where) => void;
  readonly stop: (id: number) => void;
};

/** A camera as it may be shown: the address without its secrets. `fps` is what is asked for, `measuredFps` what comes. */
export type CameraView = CameraSettings & {
  readonly persistent: boolean;
  readonly state: CameraState;
  readonly message: string;
  readonly measuredFps: number;
  readonly lastFrameAt: number | null;
  readonly health: Health;
};

export type Entry = {
  readonly id: number;
  /** From the topic; may be a tombstone. */
  record: CameraRecord | null;
  /** Stands in for the record while the topic has none, or could not be read. */
  seed: CameraSettings | null;
  /** Covers the record until it ends. */
  session: CameraSettings | null;
  /** The highest that was in use. */
  epoch: number;
  /** What the fleet was last told; empty when nothing runs. */
  running: string;
  listed: boolean;
  status: CameraStatus | null;
  watch: Watch | null;
};

export type Book = {
  /** Made when there is none. */
  readonly entry: (id: number) => Entry;
  readonly peek: (id: number) => Entry | null;
  readonly find: (id: number) => { readonly entry: Entry; readonly settings: CameraSettings };
  readonly current: (id: number) => CameraSettings | null;
  readonly count: () => number;
  readonly freeId: () => number;
  /** Takes the record unless a later one is known; false when it told nothing new. */
  readonly accept: (record: CameraRecord) => boolean;
  /** Brings the fleet to what the entry says. */
  readonly apply: (entry: Entry, reason: string) => void;
  readonly applyAll: () => void;
  readonly records: () => readonly CameraRecord[];
  readonly view: (id: number) => CameraView | null;
  readonly views: () => readonly CameraView[];
};

export const settingsOf = (record: CameraRecord): CameraSettings => {
  const settings: Record<string, unknown> = {};
  for (const name of Object.keys(cameraFields)) {
    const value = record[name as keyof CameraSettings]; // the keys are those of CameraSettings
    if (value !== undefined) settings[name] = value;
  }
  return settings as CameraSettings; // a record holds every field of the settings
};

const wantedBy = (entry: Entry): CameraSettings | null => {
  if (entry.session) return entry.session;
  if (entry.record) return entry.record.deleted ? null : settingsOf(entry.record);
  return entry.seed;
};

const viewOf = (entry: Entry, settings: CameraSettings, nowMs: number): CameraView => {
  const { watch, status } = entry;
  return {
    ...settings,
    url: maskAddress(settings.url),
    persistent: entry.session === null,
    state: status?.state ?? (settings.enabled ? "connecting" : "offline"),
    message: status?.message ?? "",
    measuredFps: watch ? measuredFps(watch, nowMs) : 0,
    lastFrameAt: watch?.lastFrameAt ?? null,
    health: watch ? gradeOf(watch, nowMs) : { grade: "unknown", reasons: ["the camera is switched off"] },
  };
};

export const createBook = (fleet: Fleet, clock: Clock, removed: (id: number, reason: string) => void): Book => {
  const entries = new Map<number, Entry>();

  const entryOf = (id: number): Entry => {
    const found = entries.get(id);
    if (found) return found;
    const entry: Entry = {
      id,
      record: null,
      seed: null,
      session: null,
      epoch: -1,
      running: "",
      listed: false,
      status: null,
      watch: null,
    };
    entries.set(id, entry);
    return entry;
  };

  const apply = (entry: Entry, reason: string): void => {
    const settings = wantedBy(entry);
    const wanted = settings?.enabled ? `${entry.epoch} ${JSON.stringify(settings)}` : "";
    if (wanted !== entry.running) {
      const ran = entry.running !== "";
      entry.running = wanted;
      entry.status = null;
      entry.watch = settings?.enabled ? createWatch(settings.fps, clock.nowMs()) : null;
      if (settings?.enabled) fleet.start(settings, entry.epoch, entry.session ? "here" : "as placed");
      else if (ran) fleet.stop(entry.id);
    }
    if (entry.listed && !settings) removed(entry.id, reason);
    entry.listed = settings !== null;
    if (!settings && !entry.record) entries.delete(entry.id);
  };

  return {
    entry: entryOf,
    peek: (id) => entries.get(id) ?? null,

    find(id) {
      const entry = entries.get(id);
      const settings = entry ? wantedBy(entry) : null;
      if (!entry || !settings) throw new Fault("unknown_camera", `there is no camera ${id}`);
      return { entry, settings };
    },

    current(id) {
      const entry = entries.get(id);
      return entry ? wantedBy(entry) : null;
    },

    records: () => [...entries.values()].flatMap(({ record }) => record ?? []),

    count() {
      let listed = 0;
      for (const entry of entries.values()) if (entry.listed) listed += 1;
      return listed;
    },

    freeId() {
      let highest = 0;
      for (const id of entries.keys()) if (id > highest) highest = id;
      return highest + 1;
    },

    accept(record) {
      const entry = entryOf(record.id);
      if (entry.record && record.ownerEpoch <= entry.record.ownerEpoch) return false;
      entry.record = record;
      entry.seed = null;
      entry.epoch = Math.max(entry.epoch, record.ownerEpoch);
      return true;
    },

    apply,

    applyAll() {
      for (const entry of [...entries.values()]) apply(entry, "Removed");
    },

    view(id) {
      const entry = entries.get(id);
      const settings = entry ? wantedBy(entry) : null;
      return entry && settings ? viewOf(entry, settings, clock.nowMs()) : null;
    },

    views() {
      const nowMs = clock.nowMs();
      const views: CameraView[] = [];
      for (const entry of entries.values()) {
        const settings = wantedBy(entry);
        if (settings) views.push(viewOf(entry, settings, nowMs));
      }
      return views.sort((one, other) => one.id - other.id);
    },
  };
};
