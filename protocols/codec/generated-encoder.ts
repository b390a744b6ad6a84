/**
 * The source of an encoder for one message: straight code, one function an object, with the bytes of every key worked out
 * beforehand. `composed-encoder.ts` says the same where code may not be generated; `../../bench/codec.ts` measures both.
 */
import { type Form, familiesOf, type MessageForm, type ObjectForm } from "./form.ts";
import { keyBytesOf, wordsOf } from "./key.ts";
import {
  type EncodeMessage,
  familyOf,
  isPlain,
  room,
  roomView,
  writeArrayHead,
  writeBoolean,
  writeBytes,
  writeMapHead,
  writeNumber,
  writeString,
} from "./writer.ts";

/** What the source calls by name. */
const tools = {
  familyOf,
  isPlain,
  room,
  view: roomView,
  writeArrayHead,
  writeBoolean,
  writeBytes,
  writeMapHead,
  writeNumber,
  writeString,
};

const storeKey = (key: string): string => {
  const bytes = keyBytesOf(key);
  const stores = wordsOf(bytes).map(({ at, size, value }) => {
    if (size === 4) return `view.setInt32(p+${at},${value});`;
    return size === 2 ? `view.setUint16(p+${at},${value});` : `room[p+${at}]=${value};`;
  });
  return `${stores.join("")}p+=${bytes.length};`;
};

const call = (name: string, value: string): string => `if((p=${name}(${value},p))<0)return -1;`;
const writers = { number: "writeNumber", string: "writeString", boolean: "writeBoolean", bytes: "writeBytes" } as const;

/** The source so far. */
type Source = {
  readonly functions: string[];
  readonly names: Map<ObjectForm, string>;
  /** Of each function's object, the keys that may be there. */
  readonly known: ReadonlySet<string>[];
  locals: number;
};

/** Statements that write `value`, a name or an expression without effects, at `p`. */
const write = (form: Form, value: string, source: Source): string => {
  switch (form.kind) {
    case "number":
    case "string":
    case "boolean":
    case "bytes":
      return call(writers[form.kind], value);
    case "choice":
      return call(writers[form.of], value);
    case "nullable":
      return `if(${value}===null)room[p++]=0xc0;else{${write(form.inner, value, source)}}`;
    case "object":
      return call(functionOf(form, [], source), value);
    case "tuple": {
      const { length } = form.items;
      const items = form.items.map((item, index) => write(item, `${value}[${index}]`, source));
      return `if(!Array.isArray(${value})||${value}.length!==${length})return -1;${call("writeArrayHead", `${length}`)}${items.join("")}`;
    }
    case "array": {
      const local = source.locals++;
      return `if(!Array.isArray(${value}))return -1;${call("writeArrayHead", `${value}.length`)}
        for(let i${local}=0;i${local}<${value}.length;i${local}++){
          const item${local}=${value}[i${local}];${write(form.item, `item${local}`, source)}}`;
    }
    case "union": {
      const cases = form.options.map((option) => {
        const labels = familiesOf(option).map((family) => `case "${family}":`);
        return `${labels.join("")}{${write(option, value, source)}break}`;
      });
      return `switch(familyOf(${value})){${cases.join("")}default:return -1}`;
    }
  }
};

/** The name of the function that writes such objects; `besides` are keys that may be there and are not written. */
const functionOf = (form: ObjectForm, besides: readonly string[], source: Source): string => {
  const { functions, names, known } = source;
  const made = names.get(form);
  if (made !== undefined) return made;
  const name = `object${names.size}`;
  names.set(form, name);
  known.push(new Set([...besides, ...form.fields.map(({ key }) => key)]));
  const keys = `known[${known.length - 1}]`;
  const count = `n+${besides.length}`;
  const required = form.fields.filter(({ presence }) => presence === "required").length;
  const reads = form.fields.map(({ key, presence }, index) => {
    const read = `const f${index}=o.${key};`;
    return presence === "required" ? read : `${read}if(f${index}!==undefined)n++;`;
  });
  const writes = form.fields.map((field, index) => {
    const code = `${storeKey(field.key)}${write(field.form, `f${index}`, source)}`;
    return field.presence === "required" ? code : `if(f${index}!==undefined){${code}}`;
  });
  // The quick half of isPlain stands here, because an engine does not inline a function with a loop.
  functions.push(`function ${name}(o,p){
    if(typeof o!=="object"||o===null||Object.getPrototypeOf(o)!==Object.prototype)return -1;
    let n=${required};${reads.join("")}
    if(Object.keys(o).length!==${count}&&!isPlain(o,${count},${keys}))return -1;
    ${form.fields.length < 16 ? "room[p++]=0x80|n;" : "p=writeMapHead(n,p);"}
    ${writes.join("\n")}
    return p}`);
  return name;
};

export const generateEncoder = ({ body }: MessageForm): EncodeMessage => {
  const source: Source = { functions: [], names: new Map(), known: [], locals: 0 };
  const main = functionOf(body, ["type"], source);
  const scope = { ...tools, known: source.known };
  const text = `"use strict";${source.functions.join("\n")}\nreturn ${main};`;
  return new Function(...Object.keys(scope), text)(...Object.values(scope));
};
