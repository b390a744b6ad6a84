/**
 * Reads JSON as models write it: other quotes and commas, bare words, comments, `85%`, `0,85`, brackets left open. What was
 * cut off is left out, never completed: the "no" that is left of a word would be a word of its own.
 */

export type Loose = { readonly value: object; readonly end: number; readonly isCut: boolean };

/** Deeper nesting is no answer. */
const depthMax = 16;
const keyMax = 60;
const wordMax = 200;

const closers: Readonly<Record<string, string>> = { '"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "＂": "＂", "`": "`" };
const isSpace = (char: string): boolean => char <= " " || char === "\u00a0" || char === "\u3000" || char === "\ufeff";
const isComma = (char: string): boolean => char === "," || char === "，" || char === ";" || char === "；" || char === "、";
const isColon = (char: string): boolean => char === ":" || char === "：" || char === "=";
const endsValue = (char: string): boolean => isComma(char) || char === "}" || char === "]" || char === "\n";

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };
const literals: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["true", true],
  ["false", false],
  ["null", null],
  ["none", "none"], // a level; Python's None, with its capital, is nothing
  ["undefined", null],
  ["nan", null],
]);
const bare = (word: string): unknown => {
  if (word === "None") return null;
  if (/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,3})?$/i.test(word)) return Number(word);
  const known = literals.get(word.toLowerCase());
  return known === undefined ? word : known;
};

type Cursor = { readonly text: string; at: number; isCut: boolean };
/** Begun, and cut off before its end. */
const unfinished = Symbol("unfinished");

const skipComment = (cursor: Cursor): boolean => {
  const { text, at } = cursor;
  if (text.startsWith("//", at) || text.startsWith("# ", at)) {
    const end = text.indexOf("\n", at);
    cursor.at = end === -1 ? text.length : end;
    return true;
  }
  if (!text.startsWith("/*", at)) return false;
  const end = text.indexOf("*/", at);
  cursor.at = end === -1 ? text.length : end + 2;
  return true;
};

const skip = (cursor: Cursor, commas: boolean): void => {
  for (;;) {
    const char = cursor.text[cursor.at];
    if (char === undefined) return;
    if (isSpace(char) || (commas && isComma(char))) cursor.at++;
    else if (!skipComment(cursor)) return;
  }
};

const nextName = /["'“]\w{1,40}["'”]\s*[:：]/y;
/** A quote within a text closes it only where a value may end: models forget to escape the others. */
const closes = (text: string, after: number): boolean => {
  let at = after;
  while (at < text.length && text[at] !== "\n" && isSpace(text[at] ?? "")) at++;
  const next = text[at];
  if (next === undefined || endsValue(next) || next === "/" || next === "#") return true;
  nextName.lastIndex = at;
  return at > after && nextName.test(text); // a comma was forgotten
};

const readString = (cursor: Cursor, closer: string, isName = false): string | typeof unfinished => {
  const { text } = cursor;
  let said = "";
  for (let at = cursor.at + 1; at < text.length; at++) {
    const char = text[at] ?? "";
    if (char === "\\") {
      const next = text[++at] ?? "";
      const code = next === "u" ? text.slice(at + 1, at + 5) : "";
      if (/^[\da-f]{4}$/i.test(code)) {
        said += String.fromCharCode(Number.parseInt(code, 16));
        at += 4;
      } else said += escapes[next] ?? next;
    } else if (char === closer && (isName || closes(text, at + 1))) {
      cursor.at = at + 1;
      return said;
    } else said += char;
  }
  cursor.at = text.length;
  return unfinished;
};

/** `inObject`: a comma between digits is a decimal one, for after a comma a name would have to follow. */
const readWord = (cursor: Cursor, inObject: boolean): unknown => {
  const { text, at: from } = cursor;
  let at = from;
  for (; at < text.length; at++) {
    const char = text[at] ?? "";
    const isDecimal =
      inObject &&
      char === "," &&
      /\d/.test(text[at - 1] ?? "") &&
      /\d/.test(text[at + 1] ?? "") &&
      !text.slice(from, at).includes(",");
    if (isDecimal) continue;
    if (endsValue(char) || char === "{" || char === "[" || isColon(char)) break;
  }
  cursor.at = at;
  if (at >= text.length) return unfinished;
  const word = text.slice(from, Math.min(at, from + wordMax)).trim();
  return bare(/^\d+,\d+%?$/.test(word) ? word.replace(",", ".") : word);
};

const readValue = (cursor: Cursor, inObject: boolean, depth: number): unknown => {
  skip(cursor, false);
  const char = cursor.text[cursor.at];
  if (char === undefined) return unfinished;
  if (char === "{" || char === "[") {
    if (depth >= depthMax) {
      cursor.at = cursor.text.length;
      return unfinished;
    }
    return char === "{" ? readObject(cursor, depth + 1) : readArray(cursor, depth + 1);
  }
  const closer = closers[char];
  return closer === undefined ? readWord(cursor, inObject) : readString(cursor, closer);
};

const readKey = (cursor: Cursor): string | null => {
  const { text, at: from } = cursor;
  const closer = closers[text[from] ?? ""];
  if (closer !== undefined) {
    const key = readString(cursor, closer, true);
    return key === unfinished ? null : key;
  }
  let at = from;
  while (at < text.length && at - from < keyMax && !isColon(text[at] ?? "") && !/[\n{}[\],，]/.test(text[at] ?? "")) at++;
  cursor.at = Math.max(at, from + 1);
  return text.slice(from, at).trim();
};

/** On two unlike values of one name neither stands: which was meant, and which came from elsewhere, cannot be told. */
const put = (fields: Record<string, unknown>, key: string, value: unknown): void => {
  const isDisputed = Object.hasOwn(fields, key) && JSON.stringify(fields[key]) !== JSON.stringify(value);
  fields[key] = isDisputed ? null : value;
};

const readObject = (cursor: Cursor, depth: number): object => {
  const { text } = cursor;
  const fields: Record<string, unknown> = Object.create(null); // names like __proto__ are names
  cursor.at++;
  for (;;) {
    skip(cursor, true);
    const char = text[cursor.at];
    if (char === undefined) {
      cursor.isCut = true;
      return fields;
    }
    if (char === "}") cursor.at++;
    if (char === "}" || char === "]") return fields; // a bracket that does not fit closes this and is left to what holds it
    const key = readKey(cursor);
    skip(cursor, false);
    if (key === null || !isColon(text[cursor.at] ?? "")) continue;
    cursor.at++;
    const value = readValue(cursor, true, depth);
    if (value !== unfinished) put(fields, key, value);
  }
};

const readArray = (cursor: Cursor, depth: number): unknown[] => {
  const { text } = cursor;
  const items: unknown[] = [];
  cursor.at++;
  for (;;) {
    skip(cursor, true);
    const char = text[cursor.at];
    if (char === undefined) {
      cursor.isCut = true;
      return items;
    }
    if (char === "]") cursor.at++;
    if (char === "]" || char === "}") return items;
    if (isColon(char)) {
      cursor.at++;
      continue;
    }
    const value = readValue(cursor, false, depth);
    if (value !== unfinished) items.push(value);
  }
};

/** The object or array that begins at `at`; total on any text, in time that grows with its length. */
export const readLoose = (text: string, at: number): Loose => {
  const cursor: Cursor = { text, at, isCut: false };
  const value = text[at] === "{" ? readObject(cursor, 0) : readArray(cursor, 0);
  return { value, end: Math.max(cursor.at, at + 1), isCut: cursor.isCut };
};
