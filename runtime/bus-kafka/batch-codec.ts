/**
 * Decodes what a fetch brings: Kafka's record batches, version 2. kafkajs makes a buffer of every field of every record and a
 * `BigInt` of every number; here a record is where its fields lie in the batch, and a field is read when it is asked for.
 * Format: "Record Batch" and "Record" in the Apache Kafka protocol guide (message format).
 */
import type { HeaderValue } from "./record-codec.ts";

/** What the records of a batch have in common, as kafkajs has it. */
export type BatchContext = {
  readonly firstOffset: string;
  readonly firstTimestamp: string;
  readonly partitionLeaderEpoch: number;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly maxTimestamp: string;
  readonly timestampType: number;
  readonly magicByte: number;
};

/** A header that is looked for, and a value it mostly has. */
export type WantedHeader = { readonly name: Buffer; readonly usual?: { readonly bytes: Buffer; readonly text: string } };

const logAppendTime = 1;

const lies = (bytes: Buffer, buffer: Buffer, from: number): boolean => {
  for (let index = 0; index < bytes.length; index++) if (buffer[from + index] !== bytes[index]) return false;
  return true;
};

/** A place in the bytes of a batch; everything read moves it on. */
class Cursor {
  readonly buffer: Buffer;
  at: number;
  end: number;

  constructor(buffer: Buffer, at: number, end: number) {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
  }

  /** A signed number of up to 53 bits. */
  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      if (this.at >= this.end) throw new RangeError("a record ends within a number");
      const byte = this.buffer[this.at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }

  /** Passes over a field; -1 for one that is null, else its length. Its last byte is before `at`. */
  field(): number {
    const length = this.varint();
    if (length < 0) return -1;
    if (this.at + length > this.end) throw new RangeError("a record ends within a field");
    this.at += length;
    return length;
  }
}

/** One record, as kafkajs and its programs see it. A class for its getters, which are shared by all. */
export class FetchedRecord {
  readonly attributes: number;
  readonly offsetNumber: number;
  readonly timestampMs: number;
  readonly batchContext: BatchContext;
  readonly #buffer: Buffer;
  readonly #keyEnd: number;
  readonly #keyLength: number;
  readonly #valueEnd: number;
  readonly #valueLength: number;
  readonly #end: number;

  /** The record at the cursor, which moves behind it. */
  constructor(cursor: Cursor, firstOffset: number, firstTimestampMs: number, batchContext: BatchContext) {
    const batchEnd = cursor.end;
    const length = cursor.varint();
    const end = cursor.at + length;
    if (length < 1 || end > batchEnd) throw new RangeError("a batch ends within a record");
    cursor.end = end;
    this.#buffer = cursor.buffer;
    this.batchContext = batchContext;
    this.attributes = cursor.buffer[cursor.at++] ?? 0;
    const timestampMs = firstTimestampMs + cursor.varint();
    this.timestampMs = batchContext.timestampType === logAppendTime ? Number(batchContext.maxTimestamp) : timestampMs;
    this.offsetNumber = firstOffset + cursor.varint();
    this.#keyLength = cursor.field();
    this.#keyEnd = cursor.at;
    this.#valueLength = cursor.field();
    this.#valueEnd = cursor.at;
    this.#end = end;
    cursor.at = end;
    cursor.end = batchEnd;
  }

  get offset(): string {
    return String(this.offsetNumber);
  }
  get timestamp(): string {
    return String(this.timestampMs);
  }
  get magicByte(): number {
    return this.batchContext.magicByte;
  }
  get isControlRecord(): boolean {
    return this.batchContext.isControlBatch;
  }
  get key(): Buffer | null {
    return this.#keyLength < 0 ? null : this.#buffer.subarray(this.#keyEnd - this.#keyLength, this.#keyEnd);
  }
  get value(): Buffer | null {
    return this.#valueLength < 0 ? null : this.#buffer.subarray(this.#valueEnd - this.#valueLength, this.#valueEnd);
  }

  /** By name; a list where a name repeats. */
  get headers(): Record<string, HeaderValue | HeaderValue[]> {
    const headers: Record<string, HeaderValue | HeaderValue[]> = {};
    const cursor = new Cursor(this.#buffer, this.#valueEnd, this.#end);
    const bytes = (): Buffer | null => {
      const length = cursor.field();
      return length < 0 ? null : this.#buffer.subarray(cursor.at - length, cursor.at);
    };
    for (let left = cursor.varint(); left > 0; left--) {
      const name = bytes()?.toString() ?? "";
      const header = bytes();
      const before = headers[name];
      if (before === undefined) headers[name] = header;
      else if (Array.isArray(before)) before.push(header);
      else headers[name] = [before, header];
    }
    return headers;
  }

  keyText(): string {
    return this.#keyLength <= 0 ? "" : this.#buffer.toString("utf8", this.#keyEnd - this.#keyLength, this.#keyEnd);
  }

  /** The value in memory of its own: a view would keep the whole batch. */
  copyOfValue(): Uint8Array {
    const length = Math.max(0, this.#valueLength);
    const copy = new Uint8Array(length);
    this.#buffer.copy(copy, 0, this.#valueEnd - length, this.#valueEnd);
    return copy;
  }

  /** Of each name the first value; null where there is none. */
  texts(wanted: readonly WantedHeader[]): readonly (string | null)[] {
    const buffer = this.#buffer;
    const cursor = new Cursor(buffer, this.#valueEnd, this.#end);
    const found: (string | null | undefined)[] = [];
    for (let left = cursor.varint(); left > 0; left--) {
      const nameLength = cursor.field();
      const nameFrom = cursor.at - nameLength;
      const length = cursor.field();
      const from = cursor.at - length;
      for (let index = 0; index < wanted.length; index++) {
        const header = wanted[index];
        if (header === undefined || header.name.length !== nameLength || found[index] !== undefined) continue;
        if (!lies(header.name, buffer, nameFrom)) continue;
        const { usual } = header;
        if (length < 0) found[index] = null;
        else if (usual?.bytes.length === length && lies(usual.bytes, buffer, from)) found[index] = usual.text;
        else found[index] = buffer.toString("utf8", from, cursor.at);
        break;
      }
    }
    return wanted.map((_, index) => found[index] ?? null);
  }
}

/** The parts of kafkajs's decoder that are used: a place in the answer of a fetch. */
type DecoderPlace = { readonly buffer: Buffer; offset: number };
export type BatchPorts = {
  /** Of the compression that the attributes name; null for none. */
  readonly codecOf: (attributes: number) => { readonly decompress: (buffer: Buffer) => Promise<Buffer> } | null;
  /** The batch goes on in the next answer. */
  readonly partial: (text: string) => Error;
};

const lengthAt = 8;
const headAt = 12;
/** Fields of fixed size, from the leader's epoch on. */
const headBytes = 49;

/** In the place of kafkajs's own; reads the batch at `place` and moves behind it. */
export const batchDecoder =
  ({ codecOf, partial }: BatchPorts) =>
  async (place: DecoderPlace): Promise<BatchContext & { readonly records: readonly FetchedRecord[] }> => {
    const { buffer, offset } = place;
    const length = buffer.readInt32BE(offset + lengthAt);
    const start = offset + headAt;
    const end = start + length;
    place.offset = end;
    if (end > buffer.length || length < headBytes)
      throw partial(`a batch of ${length} bytes is cut after ${buffer.length - start}`);
    const firstOffset = Number(buffer.readBigInt64BE(offset));
    const attributes = buffer.readInt16BE(start + 9);
    const firstTimestampMs = Number(buffer.readBigInt64BE(start + 15));
    const context: BatchContext = {
      firstOffset: String(firstOffset),
      firstTimestamp: String(firstTimestampMs),
      partitionLeaderEpoch: buffer.readInt32BE(start),
      inTransaction: (attributes & 0x10) > 0,
      isControlBatch: (attributes & 0x20) > 0,
      lastOffsetDelta: buffer.readInt32BE(start + 11),
      producerId: String(buffer.readBigInt64BE(start + 31)),
      producerEpoch: buffer.readInt16BE(start + 39),
      firstSequence: buffer.readInt32BE(start + 41),
      maxTimestamp: String(buffer.readBigInt64BE(start + 23)),
      timestampType: (attributes & 0x8) > 0 ? logAppendTime : 0,
      magicByte: buffer.readInt8(start + 4),
    };
    const count = buffer.readInt32BE(start + 45);
    const body = buffer.subarray(start + headBytes, end);
    const plain = count > 0 ? ((await codecOf(attributes)?.decompress(body)) ?? body) : body;
    const cursor = new Cursor(plain, 0, plain.length);
    const records: FetchedRecord[] = [];
    for (let left = count; left > 0; left--) records.push(new FetchedRecord(cursor, firstOffset, firstTimestampMs, context));
    return { ...context, records };
  };

type PartitionData = {
  readonly messages: readonly object[];
  readonly abortedTransactions?: readonly unknown[] | null | undefined;
};
type BatchClass = new (topic: string, fetchedOffset: string, data: PartitionData) => object;

const isPlain = (message: object): message is FetchedRecord => message instanceof FetchedRecord && !message.isControlRecord;

/** kafkajs's batch, which looks at every record three times to leave some out; here only where there is one to be left out. */
export const lighterBatch = (Original: BatchClass): BatchClass =>
  class extends Original {
    constructor(topic: string, fetchedOffset: string, data: PartitionData) {
      const { messages, abortedTransactions } = data;
      const isWhole = (abortedTransactions?.length ?? 0) === 0 && messages.every(isPlain);
      super(topic, fetchedOffset, isWhole ? { ...data, messages: [] } : data);
      if (!isWhole) return;
      const from = Number(fetchedOffset);
      const isBefore = (messages[0] as FetchedRecord | undefined)?.offsetNumber ?? from; // all of them are
      const kept = isBefore >= from ? messages : messages.filter((each) => isPlain(each) && each.offsetNumber >= from);
      Object.assign(this, { rawMessages: messages, messagesWithinOffset: kept, messages: kept });
    }
  };
