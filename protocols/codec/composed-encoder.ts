/** An encoder for one message out of functions, for hosts that forbid generated code. Slower than `generated-encoder.ts`, same bytes. */
import { type Form, familiesOf, type MessageForm, type ObjectForm } from "./form.ts";
import { keyBytesOf } from "./key.ts";
import {
  type EncodeMessage,
  familyOf,
  isPlain,
  miss,
  room,
  writeArrayHead,
  writeBoolean,
  writeBytes,
  writeMapHead,
  writeNumber,
  writeString,
} from "./writer.ts";

type Write = (value: unknown, at: number) => number;

const writers = { number: writeNumber, string: writeString, boolean: writeBoolean, bytes: writeBytes } as const;

const nullable =
  (inner: Write): Write =>
  (value, at) => {
    if (value !== null) return inner(value, at);
    room[at] = 0xc0;
    return at + 1;
  };

const tuple =
  (items: readonly Write[]): Write =>
  (value, at) => {
    if (!Array.isArray(value) || value.length !== items.length) return miss;
    let next = writeArrayHead(items.length, at);
    let index = 0;
    for (const write of items) {
      next = write(value[index++], next);
      if (next < 0) return miss;
    }
    return next;
  };

const array =
  (item: Write): Write =>
  (value, at) => {
    if (!Array.isArray(value)) return miss;
    let next = writeArrayHead(value.length, at);
    for (let index = 0; index < value.length && next >= 0; index++) next = item(value[index], next);
    return next;
  };

const object = (form: ObjectForm, besides: readonly string[]): Write => {
  const fields = form.fields.map(({ key, form: each, presence }) => ({
    key,
    bytes: keyBytesOf(key),
    write: writeOf(each),
    isRequired: presence === "required",
  }));
  const known: ReadonlySet<string> = new Set([...besides, ...fields.map(({ key }) => key)]);
  const headBytes = fields.length < 16 ? 1 : 3;

  return (value, at) => {
    if (typeof value !== "object" || value === null) return miss;
    const members = value as Readonly<Record<string, unknown>>; // isPlain looks below whether it is one
    let next = at + headBytes;
    let count = 0;
    for (const { key, bytes, write, isRequired } of fields) {
      const member = members[key];
      if (member === undefined && !isRequired) continue;
      count++;
      for (let index = 0; index < bytes.length; index++) room[next++] = bytes[index] ?? 0;
      next = write(member, next);
      if (next < 0) return miss;
    }
    if (!isPlain(value, count + besides.length, known)) return miss;
    const end = writeMapHead(count, at);
    const unused = at + headBytes - end;
    if (unused === 0) return next;
    room.copyWithin(end, at + headBytes, next); // of sixteen fields and more, so few are there that the head is short
    return next - unused;
  };
};

const union = (options: readonly Form[]): Write => {
  const byFamily = new Map(options.flatMap((option) => familiesOf(option).map((family) => [family, writeOf(option)] as const)));
  return (value, at) => byFamily.get(familyOf(value))?.(value, at) ?? miss;
};

const writeOf = (form: Form): Write => {
  switch (form.kind) {
    case "choice":
      return writers[form.of];
    case "nullable":
      return nullable(writeOf(form.inner));
    case "tuple":
      return tuple(form.items.map(writeOf));
    case "array":
      return array(writeOf(form.item));
    case "object":
      return object(form, []);
    case "union":
      return union(form.options);
    default:
      return writers[form.kind];
  }
};

export const composeEncoder = ({ body }: MessageForm): EncodeMessage => object(body, ["type"]);
