/** The detection results of some cameras within a time, batch by batch, out of the log. */
import { createCodec } from "../../protocols/codec.ts";
import type { DetectionResult } from "../../protocols/detection.ts";
import { topics } from "../../protocols/topics.ts";
import type { Bus } from "../../runtime/bus.ts";

export type Selection = {
  readonly wants: (cameraId: number) => boolean;
  /** Capture times, both included; epoch ms. */
  readonly fromMs: number;
  readonly toMs: number;
};

/** Small, since the main loop waits while one is read and written. */
const batchRecords = 50;
/** A record may reach the log so long after its capture; the clock of the log need not be that of the camera's node. */
const slackMs = 10_000;

export async function* readResults(bus: Bus, { wants, fromMs, toMs }: Selection): AsyncGenerator<readonly DetectionResult[]> {
  const { name, messages } = topics.detections;
  const codec = createCodec(messages);
  for (const { partition, next } of await bus.states(name)) {
    let offset = await bus.offsetAt(name, partition, fromMs - slackMs);
    while (offset < next) {
      const records = await bus.read(name, partition, offset, Math.min(batchRecords, next - offset));
      const last = records.at(-1);
      if (!last) break; // taken by retention meanwhile
      const results: DetectionResult[] = [];
      for (const { key, type, bytes } of records) {
        if (!wants(Number(key))) continue;
        const read = codec.read(type, bytes);
        const result = read.ok ? (read.message as DetectionResult) : null; // the codec knows no other message
        if (result && result.capturedAt >= fromMs && result.capturedAt <= toMs) results.push(result);
      }
      if (results.length > 0) yield results;
      offset = last.offset + 1;
    }
  }
}
