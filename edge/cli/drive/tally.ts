/** What has come of one camera's messages, as the topics say. */
import { topics } from "../../../protocols/topics.ts";
import type { BusRecord } from "../../../runtime/bus.ts";
import { readRecord } from "../record-text.ts";
import type { Follower } from "../records.ts";

export type Tally = {
  /** Takes in what has been written since the last call. */
  readonly pull: () => Promise<void>;
  readonly messages: () => number;
  readonly tasks: () => number;
  readonly unanswered: () => readonly string[];
  readonly summary: () => string;
};

export const tallied: readonly string[] = [topics.detections, topics.tasks, topics.results].map(({ name }) => name);

export const createTally = (follower: Follower, key: string): Tally => {
  const detections = new Set<string>();
  const tasks = new Set<string>();
  const results = new Map<string, { readonly status: string; readonly tookMs: number }>();
  const take = (record: BusRecord): void => {
    if (record.key !== key) return;
    const read = readRecord(record);
    if (!("message" in read)) return;
    // What the codec reads of these topics has these fields.
    const {
      taskId,
      capturedAt,
      results: verdicts,
    } = read.message as { taskId?: string; capturedAt?: number; results?: { status?: string }[] };
    if (record.topic === topics.detections.name) detections.add(record.id);
    if (taskId === undefined) return;
    if (record.topic === topics.tasks.name) tasks.add(taskId);
    if (record.topic === topics.results.name && !results.has(taskId))
      results.set(taskId, {
        status: verdicts?.[0]?.status ?? "none",
        tookMs: record.appendedAtMs - (capturedAt ?? record.appendedAtMs),
      });
  };
  return {
    async pull() {
      for (let records = await follower.take(); records.length > 0; records = await follower.take()) records.forEach(take);
    },
    messages: () => detections.size,
    tasks: () => tasks.size,
    unanswered: () => [...tasks].filter((taskId) => !results.has(taskId)),
    summary() {
      const answered = [...tasks].flatMap((taskId) => results.get(taskId) ?? []);
      const byStatus = Map.groupBy(answered, ({ status }) => status);
      const statuses = [...byStatus].map(([status, { length }]) => `${length} ${status}`).join(", ");
      const slowest = Math.max(0, ...answered.map(({ tookMs }) => tookMs));
      const times = answered.length > 0 ? `; slowest ${slowest} ms from capture` : "";
      return `${detections.size} messages, ${tasks.size} tasks, ${answered.length} results${statuses ? ` (${statuses})` : ""}${times}`;
    },
  };
};
