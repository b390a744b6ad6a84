/**
 * Kafka's record format, version 2: what one record of a batch is on the wire. kafkajs builds a buffer for every header and a
 * `Long` for every number; this writes a record into one buffer. What is read: `batch-codec.ts`.
 * Format: "Record" in the Apache Kafka protocol guide (message format).
 */

export type HeaderValue = Buffer | string | null;
export type RecordHeaders = Readonly<Record<string, HeaderValue | readonly HeaderValue[] | undefined>>;

export type RecordToEncode = {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly key?: Buffer | string | null;
  readonly value?: Buffer | string | null;
  readonly headers?: RecordHeaders;
};

/** What kafkajs's encoder takes for one of its own. */
export type EncodedRecord = { readonly buf: Buffer; readonly buffer: Buffer };

/** Signed numbers lie on both sides of zero: 0, -1, 1, -2, … Exact up to 2^52. */
const zigzag = (value: number): number => (value >= 0 ? value * 2 : -value * 2 - 1);

const varintSize = (value: number): number => {
  let rest = zigzag(value);
  let size = 1;
  for (; rest >= 0x80; size++) rest = Math.floor(rest / 0x80);
  return size;
};

const writeVarint = (buffer: Buffer, at: number, value: number): number => {
  let rest = zigzag(value);
  let next = at;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[next++] = (rest % 0x80) | 0x80;
  buffer[next++] = rest;
  return next;
};

const lengthOf = (value: HeaderValue | undefined): number => {
  if (value === null || value === undefined) return -1;
  return typeof value === "string" ? Buffer.byteLength(value) : value.length;
};
const sizeOf = (length: number): number => varintSize(length) + Math.max(0, length);

const writeBytes = (buffer: Buffer, at: number, value: HeaderValue | undefined, length: number): number => {
  const next = writeVarint(buffer, at, length);
  if (typeof value === "string") buffer.write(value, next);
  else if (value) buffer.set(value, next);
  return next + Math.max(0, length);
};

/** Name and value in turn; a name with several values stands there as often. */
const flat = (headers: RecordHeaders): HeaderValue[] => {
  const list: HeaderValue[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    if (value !== null && typeof value === "object" && !Buffer.isBuffer(value)) for (const each of value) list.push(name, each);
    else list.push(name, value);
  }
  return list;
};

export const encodeKafkaRecord = ({
  offsetDelta = 0,
  timestampDelta = 0,
  key = null,
  value = null,
  headers = {},
}: RecordToEncode): EncodedRecord => {
  const parts = flat(headers);
  const lengths = parts.map(lengthOf);
  const keyLength = lengthOf(key);
  const valueLength = lengthOf(value);
  let size = 1 + varintSize(timestampDelta) + varintSize(offsetDelta) + sizeOf(keyLength) + sizeOf(valueLength);
  size += varintSize(parts.length / 2);
  for (const length of lengths) size += sizeOf(length);

  const buffer = Buffer.allocUnsafe(varintSize(size) + size);
  let at = writeVarint(buffer, 0, size);
  buffer[at++] = 0; // attributes: none are in use
  at = writeVarint(buffer, at, timestampDelta);
  at = writeVarint(buffer, at, offsetDelta);
  at = writeBytes(buffer, at, key, keyLength);
  at = writeBytes(buffer, at, value, valueLength);
  at = writeVarint(buffer, at, parts.length / 2);
  for (let index = 0; index < parts.length; index++) at = writeBytes(buffer, at, parts[index], lengths[index] ?? -1);
  return { buf: buffer, buffer };
};
