/** What WebSocket clients hear and how old it is. One process holds them all; each message is read as cheaply as can be. */
import type { RiskUpdate } from "../../protocols/verdict.ts";
import type { Clock } from "../../runtime/clock.ts";
import { addDigests, digestOf } from "./digest.ts";
import { lateness } from "./slots.ts";
import { createTally, type Figures, figuresOfValues } from "./tally.ts";

export type Progress = {
  readonly camerasHeard: number;
  readonly frames: number;
  readonly verdicts: number;
  readonly detectionP95Ms: number;
  readonly verdictP95Ms: number;
  /** The oldest verdict yet, from its capture. */
  readonly verdictMaxMs: number;
};

/** Of the window, from capture times within it. */
export type Heard = {
  readonly figures: Readonly<Record<string, Figures>>;
  /** Frames heard of, each once, and how many of them came more than 500 ms after their slot. */
  readonly frames: number;
  readonly late: number;
  readonly deliveries: number;
  /** Tasks whose verdict was heard. */
  readonly verdicts: number;
  /** Sum of the digests of the risk updates, each once; decimal. */
  readonly digest: string;
  /** When each risk update was first heard, epoch ms. */
  readonly updates: readonly (readonly [id: string, atMs: number])[];
};

type Update = { readonly data: RiskUpdate };
type Camera = { readonly capturedAt: number[]; readonly ageMs: number[] };

const lateMs = 500;
const textsKept = 256;
const detectionHead = '{"type":"detection_result"';
const updateHead = '{"type":"risk_update"';

/** The number behind a field's name; the names searched for are in no text that a camera or model can set. */
const numberAt = (text: string, at: number, name: string): number =>
  Number.parseFloat(text.slice(at + name.length, at + name.length + 24));
const first = (text: string, name: string): number => numberAt(text, text.indexOf(name), name);
const last = (text: string, name: string): number => numberAt(text, text.lastIndexOf(name), name);

/** `slotMs`: the step of the grid that captures lie on, null where there is none. `watched`: how many cameras should be heard of. */
export const createListener = (clock: Clock, slotMs: number | null, watched: number) => {
  const heardOf = new Set<number>();
  const cameras = new Map<number, Camera>();
  const tallies = { detection: createTally(), verdict: createTally(), detect: createTally(), show: createTally() };
  const updates = new Map<string, number>();
  const parsed = new Map<string, Update>();
  let window = { beginMs: Number.POSITIVE_INFINITY, endMs: Number.POSITIVE_INFINITY };
  let [deliveries, verdicts, frames, digest] = [0, 0, 0, 0n];
  const tasks = new Set<string>();

  const isCounted = (capturedAt: number): boolean => capturedAt >= window.beginMs && capturedAt < window.endMs;

  const detection = (text: string): void => {
    const cameraId = first(text, '"cameraId":');
    heardOf.add(cameraId);
    const capturedAt = first(text, '"capturedAt":');
    if (!isCounted(capturedAt)) return;
    const ageMs = clock.nowMs() - capturedAt;
    const detectMs = last(text, '"detectionLatency":') * 1_000;
    tallies.detection.add(ageMs);
    tallies.detect.add(detectMs);
    tallies.show.add(ageMs - detectMs);
    const camera = cameras.get(cameraId) ?? { capturedAt: [], ageMs: [] };
    cameras.set(cameraId, camera);
    // Of several clients the first one's; a camera's frames come in the order of their capture.
    if (capturedAt <= (camera.capturedAt.at(-1) ?? 0)) return;
    camera.capturedAt.push(capturedAt);
    camera.ageMs.push(ageMs);
    frames++;
  };

  /** All clients get the very same text. */
  const parse = (text: string): Update => {
    const known = parsed.get(text);
    if (known) return known;
    const update = JSON.parse(text) as Update; // the server's own word
    parsed.set(text, update);
    if (parsed.size > textsKept) parsed.delete(parsed.keys().next().value ?? "");
    return update;
  };

  const riskUpdate = (text: string, told: Map<string, number>): void => {
    const { data } = parse(text);
    const { id, messageId, capturedAt, results, final } = data;
    if (!isCounted(capturedAt)) return;
    const nowMs = clock.nowMs();
    const before = told.get(messageId) ?? 0;
    if (results.length > before) tallies.verdict.add(nowMs - capturedAt, results.length - before);
    if (final) told.delete(messageId);
    else told.set(messageId, results.length);
    if (updates.has(id)) return;
    updates.set(id, nowMs);
    digest = addDigests(digest, digestOf(data));
    for (const { taskId } of results) tasks.add(taskId);
    verdicts = tasks.size;
  };

  /** Frames per second of each camera, from the first to the last; none of those that were not heard of. */
  const rates = (): number[] => {
    const heard = [...cameras.values()].map(({ capturedAt }) => {
      const spanMs = (capturedAt.at(-1) ?? 0) - (capturedAt[0] ?? 0);
      return spanMs > 0 ? ((capturedAt.length - 1) * 1_000) / spanMs : 0;
    });
    return [...heard, ...Array.from({ length: Math.max(0, watched - heard.length) }, () => 0)];
  };

  return {
    /** One client's ear. */
    client() {
      const told = new Map<string, number>();
      return (text: string): void => {
        if (text.startsWith(detectionHead)) detection(text);
        else if (text.startsWith(updateHead)) riskUpdate(text, told);
        deliveries++;
      };
    },
    begin(beginMs: number) {
      window = { ...window, beginMs };
      deliveries = 0;
    },
    end(endMs: number) {
      window = { ...window, endMs };
    },
    progress: (): Progress => {
      const verdict = tallies.verdict.figures();
      return {
        ...{ camerasHeard: heardOf.size, frames, verdicts },
        ...{ detectionP95Ms: tallies.detection.figures().p95, verdictP95Ms: verdict.p95, verdictMaxMs: verdict.max },
      };
    },
    heard(): Heard {
      const slots = createTally();
      let late = 0;
      for (const { capturedAt, ageMs } of cameras.values()) {
        const behind = slotMs === null ? [] : lateness(capturedAt, slotMs);
        ageMs.forEach((age, index) => {
          const behindMs = behind[index] ?? 0;
          slots.add(behindMs);
          if (age + behindMs > lateMs) late++;
        });
      }
      return {
        figures: {
          "detection.e2e": tallies.detection.figures(),
          "verdict.e2e": tallies.verdict.figures(),
          ...(slotMs === null ? {} : { "stage.capture": slots.figures() }),
          "stage.detect": tallies.detect.figures(),
          "stage.show": tallies.show.figures(),
          "fps.achieved": figuresOfValues(rates()),
        },
        ...{ frames, late, deliveries, verdicts, digest: String(digest), updates: [...updates] },
      };
    },
  };
};
