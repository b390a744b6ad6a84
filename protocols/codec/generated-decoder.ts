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
  readMapHead,
  readNumber,
  readString,
  source,
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
  source,
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

/** The source so far. */
type Code = {
  readonly isChecked: boolean;
  readonly functions: string[];
  readonly names: Map<ObjectForm, string>;
  /** Values that have no literal. */
  readonly constants: unknown[];
  locals: number;
};

const check = (form: Form, name: string, { isChecked, constants }: Code): string => {
  const constant = (value: unknown): string => {
    if (typeof value === "string" || (typeof value === "number" && Number.isFinite(value))) return JSON.stringify(value);
    return `constants[${constants.push(value) - 1}]`;
  };
  const condition = isChecked ? conditionOf(form, name, constant) : "";
  return condition === "" ? "" : `if(!(${condition}))return;`;
};

/** Statements that read what stands at `p` into the variable `target`, or return when it is something else. */
const read = (form: Form, target: string, code: Code): string => {
  switch (form.kind) {
    case "number":
      // The two kinds of number that are most frequent stand here, the others in a function.
      return `if((h=bytes[p])<0x80){${target}=h;p++}
        else if(h===0xcb){${target}=view.getFloat64(p+1);p+=9}
        else{${call(readers.number, target)}}${check(form, target, code)}`;
    case "string":
    case "boolean":
    case "bytes":
      return call(readers[form.kind], target) + check(form, target, code);
    case "choice":
      return call(readers[form.of], target) + check(form, target, code);
    case "nullable":
      return `if(bytes[p]===0xc0){${target}=null;p++}else{${read(form.inner, target, code)}}`;
    case "object":
      return call(functionOf(form, "", code), target);
    case "tuple": {
      const items = form.items.map(() => `item${code.locals++}`);
      const reads = form.items.map((item, index) => read(item, items[index] ?? "", code));
      const names = items.length === 0 ? "" : `let ${items.join(",")};`;
      return `${names}if(readArrayHead(p)!==${items.length})return;p=source.at;${reads.join("\n")}${target}=[${items.join(",")}];`;
    }
    case "array": {
      const local = code.locals++;
      return `const n${local}=readArrayHead(p);if(n${local}<0)return;p=source.at;${target}=[];
        for(let i${local}=0;i${local}<n${local};i${local}++){
          let item${local};${read(form.item, `item${local}`, code)}${target}.push(item${local})}${check(form, target, code)}`;
    }
    case "union": {
      const cases = form.options.map((option) => {
        const labels = familiesOf(option).map((family) => `case "${family}":`);
        return `${labels.join("")}{${read(option, target, code)}break}`;
      });
      return `switch(familyAt(p)){${cases.join("")}default:return}`;
    }
  }
};

/** The name of the function that reads such objects and puts `tag`, if any, beside their fields as the type. */
const functionOf = (form: ObjectForm, tag: string, code: Code): string => {
  const { functions, names, isChecked } = code;
  const made = names.get(form);
  if (made !== undefined) return made;
  const name = `object${names.size}`;
  names.set(form, name);
  // A default that is to be filled in is zod's matter: checked, the field must be there.
  const isRequired = form.fields.map(({ presence }) => presence === "required" || (isChecked && presence === "defaulted"));
  const required = isRequired.filter((each) => each).length;
  const reads = form.fields.map((field, index) => {
    const value = `p+=${field.key.length + 1};${read(field.form, `f${index}`, code)}`;
    return isRequired[index] ? `if(!(${isKey(field.key)}))return;${value}` : `if(n>0&&${isKey(field.key)}){n--;${value}}`;
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

/** Checked, it affirms what keeps the form's rules and declines the rest; unchecked, it looks at kinds alone. */
export const generateDecoder = ({ body, type }: MessageForm, isChecked: boolean): DecodeMessage => {
  const code: Code = { isChecked, functions: [], names: new Map(), constants: [], locals: 0 };
  const main = functionOf(body, type, code);
  const scope = { ...tools, constants: code.constants };
  const text = `"use strict";${code.functions.join("\n")}\nreturn ${main};`;
  return new Function(...Object.keys(scope), text)(...Object.values(scope));
};
