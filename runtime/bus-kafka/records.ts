/** Records as Kafka carries them: key, value, and CloudEvents headers in their binary form. */

import { decode } from "@msgpack/msgpack";
import type { Message } from "kafkajs";
import type { BusRecord, Outgoing } from "../bus.ts";
import { partitionOf } from "../partition.ts";
import type { RawRecord } from "./kafkajs.ts";
import type { KafkaTopic } from "./topic.ts";

export const messagePack = "application/msgpack";

/** Another form of values on the wire than our own. */
export type RecordForm = {
  readonly contentType: string;
  /** Null where the topic has no such form: the value goes out as it is. */
  readonly write: (topic: string, type: string, bytes: Uint8Array) => Uint8Array | null;
  /** Null where the value cannot be understood: it is handed on as it is, and its reader sets it aside. */
  readonly read: (
    topic: string,
    value: Uint8Array,
    appendedAtMs: number,
  ) => { readonly bytes: Uint8Array; readonly id: string } | null;
};

export type Wire = {
  readonly source: string;
  readonly nowMs: () => number;
  /** What is written when it differs from MessagePack. */
  readonly writes: RecordForm | null;
  /** Every form that is understood, beside MessagePack. */
  readonly reads: readonly RecordForm[];
};

type Headers = Record<string, string>;

const trace = /^[0-9a-f]{32}$/;
const traceparent = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;
const noSpan = "0000000000000000";
/** Bytes of a record beside key, value, id and what a dead letter adds; more than the format and the other headers need. */
const overheadBytes = 512;
/** Of a character. */
const utf8BytesMax = 3;

/** W3C trace context; the trace has no span of its own here, so its second half stands for one. */
const traceHeader = (id: string): Headers => {
  if (!trace.test(id)) return {};
  const span = id.slice(16);
  return { traceparent: `00-${id}-${span === noSpan ? "0000000000000001" : span}-01` };
};

let lastMs = 0;
let lastTime = "";
/** Records come by the hundred in a millisecond. */
const isoTime = (nowMs: number): string => {
  if (nowMs !== lastMs) lastTime = new Date(nowMs).toISOString();
  lastMs = nowMs;
  return lastTime;
};

const deadLetter = "dead.letter";
/** Of a reason of 1,000 characters and the names. */
const letterHeadersBytes = 4_096;
type Letter = Readonly<Record<"topic" | "partition" | "offset" | "disposition" | "reason" | "attempts", unknown>>;

/** Kafka Connect's names for what befell a dead letter, so that its tools show it. */
const deadLetterHeaders = (bytes: Uint8Array): Headers => {
  const letter = decode(bytes) as Letter; // encoded by the inlet from its own schema
  return {
    "__connect.errors.topic": String(letter.topic),
    "__connect.errors.partition": String(letter.partition),
    "__connect.errors.offset": String(letter.offset),
    "__connect.errors.exception.message": String(letter.reason),
    "vedette.disposition": String(letter.disposition),
    "vedette.attempts": String(letter.attempts),
  };
};

const impliedType = ({ definition }: KafkaTopic): string => definition.messages[0]?.type ?? "";

export type Encoded = { readonly message: Message & { readonly partition: number }; readonly sizeBytes: number };

export const encodeRecord = (record: Outgoing, topic: KafkaTopic, wire: Wire): Encoded => {
  const other = wire.writes?.write(topic.definition.name, record.type, record.bytes) ?? null;
  const headers: Headers = {
    "content-type": other && wire.writes ? wire.writes.contentType : messagePack,
    ...traceHeader(record.trace),
    ce_specversion: "1.0",
    ce_id: record.id,
    ce_source: wire.source,
    ce_type: `vedette.${topic.definition.name}.v1`,
    ce_time: isoTime(wire.nowMs()),
    ...(record.type === impliedType(topic) ? {} : { "vedette.type": record.type }),
    ...(record.type === deadLetter ? deadLetterHeaders(record.bytes) : {}),
  };
  const key = Buffer.from(record.key);
  // A copy: the given bytes are often a view into a buffer that is used again.
  const value = Buffer.from(other ?? record.bytes);
  const letterBytes = record.type === deadLetter ? letterHeadersBytes : 0;
  const sizeBytes = key.length + value.length + record.id.length * utf8BytesMax + overheadBytes + letterBytes;
  return { message: { key, value, headers, partition: partitionOf(record.key, topic.partitions) }, sizeBytes };
};

const headerOf = (raw: RawRecord, name: string): string | null => {
  const value = raw.headers?.[name];
  const first = Array.isArray(value) ? value[0] : value;
  return first === undefined ? null : first.toString();
};

/** The form that the content type names; without one, the first byte tells JSON from MessagePack. */
const formOf = (raw: RawRecord, { reads }: Wire): RecordForm | null => {
  const type = headerOf(raw, "content-type");
  if (type === messagePack) return null;
  const openingBrace = 0x7b;
  const named = type ?? (raw.value?.[0] === openingBrace ? "application/json" : messagePack);
  return reads.find(({ contentType }) => named.startsWith(contentType)) ?? null;
};

const nothing = new Uint8Array(0);

export const decodeRecord = (raw: RawRecord, topic: KafkaTopic, partition: number, wire: Wire): BusRecord => {
  const value = raw.value ?? nothing;
  const appendedAtMs = Number(raw.timestamp);
  const read = formOf(raw, wire)?.read(topic.definition.name, value, appendedAtMs) ?? null;
  return {
    topic: topic.definition.name,
    partition,
    offset: Number(raw.offset),
    key: raw.key?.toString() ?? "",
    id: headerOf(raw, "ce_id") ?? read?.id ?? `${partition}/${raw.offset}`,
    type: headerOf(raw, "vedette.type") ?? impliedType(topic),
    trace: traceparent.exec(headerOf(raw, "traceparent") ?? "")?.[1] ?? "",
    // A copy: the value is a view into the whole answer of the broker, which it would keep.
    bytes: read?.bytes ?? new Uint8Array(value),
    appendedAtMs,
  };
};
