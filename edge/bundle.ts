/**
 * All that there is about an incident in one archive, for whoever has to show it to somebody: the incident, its pictures, the
 * records behind it, and a manifest that names each file with its SHA-256. `vedette verify` checks it without a running process.
 */
import { createHash } from "node:crypto";
import { type Zippable, zipSync } from "fflate";
import { z } from "zod";
import { createCodec } from "../protocols/codec.ts";
import { TimestampMs } from "../protocols/ids.ts";
import { type Incident, IncidentId } from "../protocols/incident.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import { topics } from "../protocols/topics.ts";
import type { Bus, BusRecord } from "../runtime/bus.ts";
import type { Evidence } from "./evidence.ts";
import { findRecords } from "./records.ts";

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, "expected a SHA-256 in hexadecimal");
/** Below the folder of the archive, with no way out of it. */
const Path = z.string().regex(/^(?!.*\.\.)[\w@-][\w@.-]*(\/[\w@.-]+)*$/, "expected a path within the archive");

export const Manifest = z.object({
  format: z.literal("vedette-incident"),
  version: z.literal(1),
  incident: IncidentId,
  madeAt: TimestampMs,
  madeBy: z.string(),
  files: z.array(z.object({ path: Path, bytes: z.int().min(0), sha256: Sha256 })),
  missing: z.array(z.string()).describe("What belonged here and was no longer to be had"),
});
export type Manifest = z.infer<typeof Manifest>;

export const manifestPath = "manifest.json";
export const incidentPath = "incident.json";
export const picturePath = (evidenceId: string): string => `evidence/${evidenceId}.jpg`;

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const recordsMax = 1_000;
/** Looked at in a topic. */
const readMax = 5_000;
/** After the last sighting: no result comes later. */
const afterMs = 60_000;
/** Pictures are pressed already. */
const stored = 0;
const pressed = 6;

const codec = createCodec(
  [topics.detections, topics.tasks, topics.results, topics.incidents].flatMap(({ messages }) => messages),
);

/** A record as a line of text: what it says, with the hash of each picture in its place. */
const lineOf = ({ topic, partition, offset, id, type, appendedAtMs, bytes }: BusRecord): string => {
  const read = codec.read(type, bytes);
  const withoutPictures = (_: string, value: unknown) =>
    value instanceof Uint8Array ? { bytes: value.byteLength, sha256: sha256(value) } : value;
  const message = read.ok ? read.message : { unreadable: read.failure.code };
  return JSON.stringify({ topic, partition, offset, id, type, appendedAtMs, message }, withoutPictures);
};

const isOfMessage = (id: string, { messageIds }: Incident): boolean =>
  messageIds.some((messageId) => id.startsWith(`${messageId}_`));

const about: readonly {
  readonly topic: TopicDefinition<never>;
  readonly isAbout: (id: string, incident: Incident) => boolean;
}[] = [
  { topic: topics.detections, isAbout: (id, { messageIds }) => messageIds.includes(id) },
  { topic: topics.tasks, isAbout: isOfMessage },
  { topic: topics.results, isAbout: isOfMessage },
  { topic: topics.incidents, isAbout: (id, incident) => id.startsWith(`${incident.id}@`) || isOfMessage(id, incident) },
];
const readRecords = async (bus: Bus, incident: Incident, missing: string[]): Promise<string[]> => {
  const search = { fromMs: incident.openedAt, untilMs: incident.updatedAt + afterMs, readMax };
  const lines: string[] = [];
  for (const { topic, isAbout } of about) {
    const wants = ({ id }: BusRecord) => isAbout(id, incident);
    const found = await findRecords(bus, topic, String(incident.cameraId), {
      ...search,
      wants,
      isEnough: ({ length }) => length >= recordsMax,
    }).catch(() => null);
    if (found === null) missing.push(`${topic.name}: the log does not answer`);
    else if (found.length === 0) missing.push(`${topic.name}: nothing about it is kept any more`);
    lines.push(...(found ?? []).slice(0, recordsMax).map(lineOf));
  }
  return lines;
};

export type BundlePorts = {
  readonly bus: Bus;
  readonly evidence: Pick<Evidence, "read">;
  readonly version: string;
};

export const bundleOf = async (
  { bus, evidence, version }: BundlePorts,
  incident: Incident,
  madeAt: number,
): Promise<Uint8Array> => {
  const text = new TextEncoder();
  const missing: string[] = [];
  const files = new Map<string, Uint8Array>();
  const { type: _, ...told } = incident;
  files.set(incidentPath, text.encode(`${JSON.stringify(told, null, 2)}\n`));
  for (const id of incident.evidenceIds) {
    const image = await evidence.read(id).catch(() => "unreadable" as const);
    if (image === "unreadable") missing.push(`${picturePath(id)}: the picture cannot be read`);
    else if (image === null) missing.push(`${picturePath(id)}: the picture is no longer kept`);
    else files.set(picturePath(id), image);
  }
  const lines = await readRecords(bus, incident, missing);
  files.set("records.jsonl", text.encode(lines.map((line) => `${line}\n`).join("")));

  const manifest: Manifest = {
    ...{ format: "vedette-incident", version: 1, incident: incident.id, madeAt, madeBy: `vedette ${version}` },
    files: [...files].map(([path, bytes]) => ({ path, bytes: bytes.byteLength, sha256: sha256(bytes) })),
    missing,
  };
  files.set(manifestPath, text.encode(`${JSON.stringify(manifest, null, 2)}\n`));
  const entries: Zippable = {};
  for (const [path, bytes] of files) entries[path] = [bytes, { level: path.endsWith(".jpg") ? stored : pressed, mtime: madeAt }];
  return zipSync(entries);
};
