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

const compose = (isChecked: boolean) => {
  const checked = (form: Form, read: Read): Read => {
    const rule = isChecked ? ruleOf(form) : null;
    if (!rule) return read;
    return (at) => {
      const value = read(at);
      return value !== undefined && rule(value) ? value : undefined;
    };
  };

  const object = (form: ObjectForm, tag: string | null): ((at: number) => object | undefined) => {
    const fields = form.fields.map(({ key, form: each, presence }) => ({
      key,
      bytes: keyBytesOf(key),
      read: readOf(each),
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

  const union = (options: readonly Form[]): Read => {
    const byFamily = new Map(options.flatMap((option) => familiesOf(option).map((family) => [family, readOf(option)] as const)));
    return (at) => {
      const family = familyAt(at);
      return family && byFamily.get(family)?.(at);
    };
  };

  const kindOf = (form: Form): Read => {
    switch (form.kind) {
      case "choice":
        return readers[form.of];
      case "nullable":
        return nullable(readOf(form.inner));
      case "tuple":
        return tuple(form.items.map(readOf));
      case "array":
        return array(readOf(form.item));
      case "object":
        return object(form, null);
      case "union":
        return union(form.options);
      default:
        return readers[form.kind];
    }
  };
  const readOf = (form: Form): Read => checked(form, kindOf(form));
  return object;
};

export const composeDecoder = ({ body, type }: MessageForm, isChecked: boolean): DecodeMessage => compose(isChecked)(body, type);
