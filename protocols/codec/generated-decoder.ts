/**
 * The source of a decoder for one message: it expects the fields in the schema's order, compares their keys word by word, and
 * makes each object at once. `composed-decoder.ts` says the same where code may not be generated.
 */
import { type Form, familiesOf, type MessageForm, type ObjectForm } from "./form.ts";
import { keyBytesOf, wordsOf } from "./key.ts";
import {
  type DecodeMessage,
  familyAt,
  readArrayHead,
  readBoolean,
  readBytes,
  source as readerSource,
  readMapHead,
  readNumber,
  readString,
} from "./reader.ts";
import { conditionOf } from "./rules.ts";

/** What the source calls by name. */
const tools = {
  familyAt,
  readArrayHead,
  readBoolean,
  readBytes,
  readMapHead,
  readNumber,
  readString,
  source: readerSource,
};

const isKey = (key: string): string =>
  wordsOf(keyBytesOf(key))
    .map(({ at, size, value }) => {
      if (size === 4) return `view.getInt32(p+${at})===${value}`;
      return size === 2 ? `view.getUint16(p+${at})===${value}` : `bytes[p+${at}]===${value}`;
    })
    .join("&&");

const call = (name: string, target: string): string => `if((${target}=${name}(p))===undefined)return;p=source.at;`;
const readers = { number: "readNumber", string: "readString", boolean: "readBoolean", bytes: "readBytes" } as const;

const sourceOf = (body: ObjectForm, type: string, isChecked: boolean) => {
  const functions: string[] = [];
  const names = new Map<ObjectForm, string>();
  const constants: unknown[] = [];
  let locals = 0;

  const constant = (value: unknown): string => {
    if (typeof value === "string" || (typeof value === "number" && Number.isFinite(value))) return JSON.stringify(value);
    return `constants[${constants.push(value) - 1}]`;
  };
  const check = (form: Form, name: string): string => {
    const condition = isChecked ? conditionOf(form, name, constant) : "";
    return condition === "" ? "" : `if(!(${condition}))return;`;
  };

  /** Statements that read what stands at `p` into the variable `target`, or return when it is something else. */
  const read = (form: Form, target: string): string => {
    switch (form.kind) {
      case "number":
        // The two kinds of number that are most frequent stand here, the others in a function.
        return `if((h=bytes[p])<0x80){${target}=h;p++}
          else if(h===0xcb){${target}=view.getFloat64(p+1);p+=9}
          else{${call(readers.number, target)}}${check(form, target)}`;
      case "string":
      case "boolean":
      case "bytes":
        return call(readers[form.kind], target) + check(form, target);
      case "choice":
        return call(readers[form.of], target) + check(form, target);
      case "nullable":
        return `if(bytes[p]===0xc0){${target}=null;p++}else{${read(form.inner, target)}}`;
      case "object":
        return call(functionOf(form, ""), target);
      case "tuple": {
        const items = form.items.map(() => `item${locals++}`);
        const reads = form.items.map((item, index) => read(item, items[index] ?? ""));
        return `let ${items.join(",")};if(readArrayHead(p)!==${items.length})return;p=source.at;
          ${reads.join("\n")}${target}=[${items.join(",")}];`;
      }
      case "array": {
        const local = locals++;
        return `const n${local}=readArrayHead(p);if(n${local}<0)return;p=source.at;${target}=[];
          for(let i${local}=0;i${local}<n${local};i${local}++){
            let item${local};${read(form.item, `item${local}`)}${target}.push(item${local})}${check(form, target)}`;
      }
      case "union": {
        const cases = form.options.map((option) => {
          const labels = familiesOf(option).map((family) => `case "${family}":`);
          return `${labels.join("")}{${read(option, target)}break}`;
        });
        return `switch(familyAt(p)){${cases.join("")}default:return}`;
      }
    }
  };

  const functionOf = (form: ObjectForm, tag: string): string => {
    const made = names.get(form);
    if (made !== undefined) return made;
    const name = `object${names.size}`;
    names.set(form, name);
    const isRequired = form.fields.map(({ presence }) => presence === "required" || (isChecked && presence === "defaulted"));
    const required = isRequired.filter((each) => each).length;
    const reads = form.fields.map((field, index) => {
      const code = `p+=${field.key.length + 1};${read(field.form, `f${index}`)}`;
      return isRequired[index] ? `if(!(${isKey(field.key)}))return;${code}` : `if(n>0&&${isKey(field.key)}){n--;${code}}`;
    });
    const members = form.fields.flatMap(({ key }, index) => (isRequired[index] ? [`${key}:f${index}`] : []));
    const others = form.fields.map(({ key }, index) => (isRequired[index] ? "" : `if(f${index}!==undefined)o.${key}=f${index};`));
    functions.push(`function ${name}(p){
      const {bytes,view}=source;
      let h=0,n=readMapHead(p)-${required};
      if(n<0||n>${form.fields.length - required})return;
      p=source.at;
      ${form.fields.map((_, index) => `let f${index};`).join("")}
      ${reads.join("\n")}
      if(n!==0)return;
      const o={${[...members, ...(tag === "" ? [] : [`type:${JSON.stringify(tag)}`])].join(",")}};${others.join("")}
      source.at=p;
      return o}`);
    return name;
  };

  const main = functionOf(body, type);
  return { source: `"use strict";${functions.join("\n")}\nreturn ${main};`, constants };
};

export const generateDecoder = ({ body, type }: MessageForm, isChecked: boolean): DecodeMessage => {
  const { source, constants } = sourceOf(body, type, isChecked);
  const scope = { ...tools, constants };
  return new Function(...Object.keys(scope), source)(...Object.values(scope));
};
