/** A decoder for one message out of functions, for hosts that forbid generated code. Slower than `generated-decoder.ts`, same values. */
import { type Form, familiesOf, type MessageForm, type ObjectForm } from "./form.ts";
import { keyBytesOf } from "./key.ts";
import {
  type DecodeMessage,
  familyAt,
  readArrayHead,
  readBoolean,
  readBytes,
  readMapHead,
  readNumber,
  readString,
  source,
} from "./reader.ts";
import { ruleOf } from "./rules.ts";

type Read = (at: number) => unknown;

const readers = { number: readNumber, string: readString, boolean: readBoolean, bytes: readBytes } as const;

const nullable =
  (inner: Read): Read =>
  (at) => {
    if (source.bytes[at] !== 0xc0) return inner(at);
    source.at = at + 1;
    return null;
  };

const tuple =
  (items: readonly Read[]): Read =>
  (at) => {
    if (readArrayHead(at) !== items.length) return undefined;
    const values: unknown[] = [];
    for (const read of items) {
      const value = read(source.at);
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  };

const array =
  (item: Read): Read =>
  (at) => {
    const count = readArrayHead(at);
    if (count < 0) return undefined;
    const values: unknown[] = [];
    while (values.length < count) {
      const value = item(source.at);
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  };

const isAt = (bytes: Uint8Array, at: number): boolean => {
  for (let index = 0; index < bytes.length; index++) if (source.bytes[at + index] !== bytes[index]) return false;
  return true;
};

const checked = (form: Form, read: Read): Read => {
  const rule = ruleOf(form);
  if (!rule) return read;
  return (at) => {
    const value = read(at);
    return value !== undefined && rule(value) ? value : undefined;
  };
};

const object = (form: ObjectForm, tag: string | null, isChecked: boolean): DecodeMessage => {
  const fields = form.fields.map(({ key, form: each, presence }) => ({
    key,
    bytes: keyBytesOf(key),
    read: readOf(each, isChecked),
    // A default that is to be filled in is zod's matter: checked, the field must be there.
    isRequired: presence === "required" || (isChecked && presence === "defaulted"),
  }));
  const required = fields.filter(({ isRequired }) => isRequired).length;
  const optional = fields.length - required;

  return (at) => {
    let left = readMapHead(at) - required;
    if (left < 0 || left > optional) return undefined;
    const members: Record<string, unknown> = {};
    let next = source.at;
    for (const { key, bytes, read, isRequired } of fields) {
      if (!isRequired && (left === 0 || !isAt(bytes, next))) continue;
      if (!isRequired) left--;
      else if (!isAt(bytes, next)) return undefined;
      const value = read(next + bytes.length);
      if (value === undefined) return undefined;
      members[key] = value;
      next = source.at;
    }
    if (left !== 0) return undefined;
    if (tag !== null) members.type = tag;
    return members;
  };
};

const union = (options: readonly Form[], isChecked: boolean): Read => {
  const byFamily = new Map(
    options.flatMap((option) => familiesOf(option).map((family) => [family, readOf(option, isChecked)] as const)),
  );
  return (at) => {
    const family = familyAt(at);
    return family && byFamily.get(family)?.(at);
  };
};

const kindOf = (form: Form, isChecked: boolean): Read => {
  switch (form.kind) {
    case "choice":
      return readers[form.of];
    case "nullable":
      return nullable(readOf(form.inner, isChecked));
    case "tuple":
      return tuple(form.items.map((item) => readOf(item, isChecked)));
    case "array":
      return array(readOf(form.item, isChecked));
    case "object":
      return object(form, null, isChecked);
    case "union":
      return union(form.options, isChecked);
    default:
      return readers[form.kind];
  }
};

const readOf = (form: Form, isChecked: boolean): Read =>
  isChecked ? checked(form, kindOf(form, isChecked)) : kindOf(form, isChecked);

/** Checked, it affirms what keeps the form's rules and declines the rest; unchecked, it looks at kinds alone. */
export const composeDecoder = ({ body, type }: MessageForm, isChecked: boolean): DecodeMessage => object(body, type, isChecked);
