/** Records as Kafka carries them: key, value, and CloudEvents headers in their binary form. */

import { decode } from "@msgpack/msgpack";
import type { Message } from "kafkajs";
import type { BusRecord, Outgoing } from "../bus.ts";
import { partitionOf } from "../partition.ts";
import { recordTextMax } from "../record-limits.ts";
import { FetchedRecord, type WantedHeader } from "./batch-codec.ts";
import type { RawRecord } from "./kafkajs.ts";
import type { KafkaTopic } from "./topic.ts";

const messagePack = "application/msgpack";
const json = "application/json";
/** A message in MessagePack is a map and never begins with this byte. */
const openingBrace = 0x7b;

/** Another form of values on the wire than our own. */
export type RecordForm = {
  readonly contentType: string;
  /** Null where the topic has no such form: the value goes out as it is. */
  readonly write: (topic: string, type: string, bytes: Uint8Array) => Uint8Array | null;
  /** What cannot be understood is handed on as it is, with the reason, and its reader sets it aside. Never throws. */
  readonly read: (topic: string, value: Uint8Array, appendedAtMs: number) => ReadValue | { readonly unreadable: string };
};
/** A value in our own form; id and trace are for records whose headers do not say them. */
export type ReadValue = { readonly bytes: Uint8Array; readonly id: string; readonly trace: string };

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
const traceparent = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
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

const traceOf = (header: string): string | null => (traceparent.test(header) ? header.slice(3, 35) : null);

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
  // What was set aside as JSON that nobody understood goes back as what it was.
  const own = record.bytes[0] === openingBrace ? json : messagePack;
  const headers: Headers = {
    "content-type": other && wire.writes ? wire.writes.contentType : own,
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

/** What is read of a record beside its value, as text. */
const wanted = ["content-type", "ce_id", "vedette.type", "traceparent"].map(
  (name): WantedHeader => ({
    name: Buffer.from(name),
    ...(name === "content-type" ? { usual: { bytes: Buffer.from(messagePack), text: messagePack } } : {}),
  }),
);

const headerOf = (raw: RawRecord, name: string): string | null => {
  const value = raw.headers?.[name];
  const first = Array.isArray(value) ? value[0] : value;
  return first?.toString() ?? null; // without a value it is as good as not there
};
const headersOf = (raw: RawRecord): readonly (string | null)[] =>
  raw instanceof FetchedRecord ? raw.texts(wanted) : wanted.map(({ name }) => headerOf(raw, name.toString()));

/** Names from outside, no longer than our own may be: what is set aside must be taken by its topic. */
const clipped = (text: string): string => (text.length <= recordTextMax ? text : text.slice(0, recordTextMax));

/** By the content type; without one, the first byte tells JSON from MessagePack. Null: it is in our own form, or passes for it. */
const readValue = (
  raw: RawRecord,
  topic: string,
  contentType: string | null,
  { reads }: Wire,
): ReturnType<RecordForm["read"]> | null => {
  if (contentType === messagePack) return null;
  const value = raw.value ?? nothing;
  const type = contentType?.toLowerCase() ?? (value[0] === openingBrace ? json : messagePack);
  if (type.startsWith(messagePack)) return null;
  const form = reads.find((each) => type.startsWith(each.contentType));
  return form
    ? form.read(topic, value, Number(raw.timestamp))
    : { unreadable: `content-type ${type.slice(0, 64)} is not read here` };
};

const nothing = new Uint8Array(0);

/** The value is a view into the whole answer of the broker, which it would keep. */
const copyOf = (raw: RawRecord): Uint8Array =>
  raw instanceof FetchedRecord ? raw.copyOfValue() : new Uint8Array(raw.value ?? nothing);

export const decodeRecord = (raw: RawRecord, topic: KafkaTopic, partition: number, wire: Wire): BusRecord => {
  const [contentType = null, id = null, type = null, parent = null] = headersOf(raw);
  const answer = readValue(raw, topic.definition.name, contentType, wire);
  const read = answer !== null && "bytes" in answer ? answer : null;
  const isFetched = raw instanceof FetchedRecord;
  const offset = isFetched ? raw.offsetNumber : Number(raw.offset);
  const record: BusRecord = {
    topic: topic.definition.name,
    partition,
    offset,
    key: clipped(isFetched ? raw.keyText() : (raw.key?.toString() ?? "")),
    id: clipped(id ?? read?.id ?? `${partition}/${offset}`),
    type: clipped(type ?? impliedType(topic)),
    trace: (parent === null ? null : traceOf(parent)) ?? read?.trace ?? "",
    bytes: read?.bytes ?? copyOf(raw),
    appendedAtMs: isFetched ? raw.timestampMs : Number(raw.timestamp),
  };
  return answer !== null && "unreadable" in answer ? { ...record, unreadable: answer.unreadable } : record;
};
