/**
 * Frames and verdicts where programs of the traffic monitor look for them in Redis:
 *
 *   detection:{messageId}   text, 5 min       the frame
 *   camera:{id}:latest      text, 5 min       the newest frame that has verdicts, with them
 *   alerts:{id}             list, 24 h        the last 100 such frames of high risk, newest first
 *   camera:{id}             channel           each such frame, at each verdict
 *
 * Nothing of ours reads them. Each call fails when Redis is away; what was to be told then is not told later.
 */
import { createHash } from "node:crypto";
import type { DetectionResult } from "../../protocols/detection.ts";
import { type PictureOf, seedDetection, seedMerged } from "../../protocols/seed-shape.ts";
import type { RiskUpdate } from "../../protocols/verdict.ts";
import { type Clock, delay } from "../../runtime/clock.ts";
import type { RedisConnection } from "../../runtime/store-redis/connection.ts";

export const frameTtlMs = 300_000;
const alertsTtlMs = 24 * 3_600_000;
const alertsMax = 100;
/** A verdict waits for its frame until the frame is so old. */
const meetMs = 2_000;
const lookAgainMs = 50;
const camerasMax = 10_000;

export type Publications = {
  readonly detection: (result: DetectionResult) => Promise<void>;
  /** Updates of one camera one after the other, in order. */
  readonly update: (update: RiskUpdate) => Promise<void>;
};

/** The id under which evidence is kept: the hash of the picture. */
const evidenceIdOf = (image: Uint8Array): string => createHash("sha256").update(image).digest("hex");

export const createPublications = ({ run }: RedisConnection, pictures: "ids" | "base64", clock: Clock): Publications => {
  /** When the newest frame was captured, by camera: a late verdict of an older frame does not replace it. */
  const newestMs = new Map<number, number>();
  const isNewest = ({ cameraId, capturedAt }: RiskUpdate): boolean => {
    if (capturedAt < (newestMs.get(cameraId) ?? 0)) return false;
    newestMs.delete(cameraId); // so that the cameras heard last stand last
    newestMs.set(cameraId, capturedAt);
    for (const oldest of newestMs.keys()) {
      if (newestMs.size <= camerasMax) break;
      newestMs.delete(oldest);
    }
    return true;
  };
  const pictureOf: PictureOf = (image) => ({
    evidenceId: evidenceIdOf(image),
    ...(pictures === "ids" ? {} : { imageBase64: Buffer.from(image).toString("base64") }),
  });

  return {
    async detection(result) {
      const text = JSON.stringify(seedDetection(result, pictureOf));
      await run("write", text.length, (client) => client.set(`detection:${result.messageId}`, text, "PX", frameTtlMs));
    },

    async update(update) {
      const { cameraId, messageId } = update;
      const find = () => run("read", 0, (client) => client.get(`detection:${messageId}`));
      let stored = await find();
      // Frames and verdicts come by different topics: the verdict may be here first.
      while (stored === null && clock.nowMs() < update.capturedAt + meetMs) {
        await delay(clock, lookAgainMs);
        stored = await find();
      }
      const text = JSON.stringify(seedMerged(stored === null ? null : JSON.parse(stored), update));
      const alerts = `alerts:${cameraId}`;
      await run("write", 3 * text.length, async (client) => {
        const together = client.multi();
        if (stored !== null && isNewest(update)) together.set(`camera:${cameraId}:latest`, text, "PX", frameTtlMs);
        if (stored !== null && update.final && update.maxRiskLevel === "high") {
          together.lrem(alerts, 0, text); // told again after a crash: the same text
          together
            .lpush(alerts, text)
            .ltrim(alerts, 0, alertsMax - 1)
            .pexpire(alerts, alertsTtlMs);
        }
        together.publish(`camera:${cameraId}`, text);
        const answers = await together.exec();
        for (const [error] of answers ?? []) if (error) throw error;
      });
    },
  };
};
