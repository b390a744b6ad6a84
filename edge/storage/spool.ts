/** What waits on this disk while the broker is away: what cameras show, and what is said of cameras. */
import { join } from "node:path";
import type { Config } from "../../config/schema.ts";
import { candidateRefusal } from "../../protocols/candidate.ts";
import type { Codec } from "../../protocols/codec.ts";
import type { DetectionResult } from "../../protocols/detection.ts";
import { topics } from "../../protocols/topics.ts";
import type { Bus } from "../../runtime/bus.ts";
import { spooled } from "../../runtime/bus-spool.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import { openSpool } from "../../runtime/spool-sqlite.ts";

/** Everything else follows from a record of another topic, which is not settled before the broker has what follows. */
const fromOutside: ReadonlySet<string> = new Set([topics.detections.name, topics.cameras.name]);

export type SpoolPorts = { readonly codec: Codec; readonly clock: Clock; readonly log: Log; readonly metrics: Metrics };

export const openSpooled = async (bus: Bus, { bus: settings, data, tasks }: Config, ports: SpoolPorts): Promise<Bus> => {
  const { codec, clock, log, metrics } = ports;
  const dropped = (type: string, reason: string, count = 1) => metrics.dropped.inc({ actor: "spool", type, reason }, count);
  const store = await openSpool({
    directory: join(data.dir, "spool"),
    maxBytes: settings.spoolMaxBytes,
    minFreeBytes: data.minFreeBytes,
    letGo: ({ type, isMinor, count }) => dropped(type, isMinor ? "spool_full_no_candidates" : "spool_full", count),
    ...{ clock, log },
  });
  return spooled(bus, {
    store,
    isSpooled: (topic) => fromOutside.has(topic),
    /** A result in which nothing is worth a verdict. */
    isMinor({ topic, type, bytes }) {
      if (topic !== topics.detections.name) return false;
      const read = codec.read(type, bytes);
      if (!read.ok) return false;
      const { trafficGroups } = read.message as DetectionResult; // the topic carries no other message
      return trafficGroups.every((group) => candidateRefusal(group, tasks) !== null);
    },
    ...{ clock, log, dropped },
    measured({ records, bytes }) {
      metrics.spoolRecords.set(records);
      metrics.spoolBytes.set(bytes);
    },
  });
};
