/** The codec against its specification: the library, then zod. */
import { inspect, isDeepStrictEqual } from "node:util";
import { Decoder, Encoder } from "@msgpack/msgpack";
import { refusalOf } from "../../protocols/codec/bounds.ts";
import { type MessageForm, messageFormOf } from "../../protocols/codec/form.ts";
import { limits } from "../../protocols/codec/limits.ts";
import { type Codec, createCodec } from "../../protocols/codec.ts";
import type { MessageDefinition, Tagged } from "../../protocols/message.ts";
import { type Random, seededRandom } from "../../runtime/random.ts";
import { encodeLoosely } from "./loose-encoder.ts";
import { hostile, mutate, perturb } from "./mutate.ts";
import { chance, messageSample } from "./sample.ts";

const encoder = new Encoder({ ignoreUndefined: true, maxDepth: limits.depth });
const decoder = new Decoder({
  maxStrLength: limits.stringBytes,
  maxBinLength: limits.binBytes,
  maxArrayLength: limits.arrayItems,
  maxMapLength: limits.mapEntries,
  maxExtLength: limits.extBytes,
});

type Outcome<T> = { readonly value: T } | { readonly thrown: unknown };
const outcomeOf = <T>(run: () => T): Outcome<T> => {
  try {
    return { value: run() };
  } catch (thrown) {
    return { thrown };
  }
};

const libraryDecode = (bytes: Uint8Array): Outcome<unknown> =>
  refusalOf(bytes) === null ? outcomeOf(() => decoder.decode(bytes)) : { thrown: "refused" };

export type Difference = { readonly what: string; readonly detail: string };
const difference = (what: string, detail: unknown): Difference => ({
  what,
  detail: inspect(detail, { depth: 6 }).slice(0, 2_000),
});

/** `read` must not throw, and say of the bytes what zod says of what the library decodes. */
export const compareRead = (codec: Codec, { type, schema }: MessageDefinition, bytes: Uint8Array): Difference | null => {
  const read = outcomeOf(() => codec.read(type, bytes));
  if ("thrown" in read) return difference("read threw", read.thrown);
  const decoded = libraryDecode(bytes);
  const parsed = "value" in decoded ? schema.safeParse(decoded.value) : null;
  if (read.value.ok !== (parsed?.success ?? false)) return difference("read's verdict", { read: read.value, parsed, decoded });
  if (!read.value.ok || !parsed?.success) return null;
  const expected = { ...parsed.data, type };
  return isDeepStrictEqual(read.value.message, expected) ? null : difference("read's message", { read: read.value, expected });
};

/** `decode` must give what the library gives, unknown fields and unfit values included. */
export const compareDecode = (codec: Codec, type: string, bytes: Uint8Array): Difference | null => {
  const expected = libraryDecode(bytes);
  if ("thrown" in expected || typeof expected.value !== "object" || expected.value === null) return null; // not asked of decode
  const decoded = outcomeOf(() => codec.decode(type, bytes));
  if ("thrown" in decoded) return difference("decode threw", decoded.thrown);
  const wanted = Object.assign(expected.value, { type });
  return isDeepStrictEqual(decoded.value, wanted) ? null : difference("decode", { decoded: decoded.value, wanted });
};

/** What `encode` writes must read as what the library writes. */
export const compareEncode = (codec: Codec, message: Tagged): Difference | null => {
  const { type: _, ...fields } = message;
  const expected = outcomeOf(() => encoder.encode(fields));
  const encoded = outcomeOf(() => codec.encode(message));
  if ("thrown" in expected !== "thrown" in encoded) return difference("encode threw alone", { expected, encoded });
  if ("thrown" in expected || "thrown" in encoded) return null;
  if (encoded.value.byteLength !== encoded.value.buffer.byteLength) return difference("encode's bytes are a view", message);
  const [mine, theirs] = [libraryDecode(encoded.value), libraryDecode(expected.value)];
  if (encoded.value.length !== expected.value.length) return difference("encode's length", { mine, theirs });
  return isDeepStrictEqual(mine, theirs) ? null : difference("encode", { mine, theirs });
};

export type Subject = { readonly definition: MessageDefinition; readonly form: MessageForm; readonly codecs: readonly Codec[] };

export const subjectsOf = (definitions: Iterable<MessageDefinition>): Subject[] =>
  [...definitions].map((definition) => {
    const form = messageFormOf(definition);
    if (!form) throw new Error(`${definition.type} has no specialised codec`);
    const codecs = (["generated", "composed"] as const).map((construction) => createCodec([definition], { construction }));
    return { definition, form, codecs };
  });

const isWellFormed = (value: unknown): boolean => JSON.stringify(value)?.includes("\\ud") !== true;

/** One input for each of the ways in which bytes come to be. */
const bytesFor = (message: Tagged, random: Random): Uint8Array => {
  const { type: _, ...fields } = message;
  if (chance(random, 0.05)) return hostile(random);
  const value = chance(random, 0.3) ? perturb(fields, random) : fields;
  const encoded = outcomeOf(() => encoder.encode(value));
  const plain = "value" in encoded ? encoded.value : new Uint8Array([0x80]);
  const bytes = chance(random, 0.2) && isWellFormed(fields) ? new Uint8Array(encodeLoosely(fields, random)) : plain;
  return chance(random, 0.6) && bytes.length < 20_000 ? mutate(bytes, random) : bytes;
};

/** Inputs that one case tries. */
export const inputsPerCase = 10;

/** One seeded case: a message of one kind, what becomes of it unfit, and bytes that were or might have been its own. */
export const runCase = (subjects: readonly Subject[], seed: number): Difference | null => {
  const random = seededRandom(seed);
  const subject = subjects[seed % subjects.length];
  if (!subject) return null;
  const { definition, form, codecs } = subject;
  const message = messageSample(form, random);
  const unfit = perturb(message, random) as Tagged; // may lack its type: then it is of no declared kind
  const inputs = Array.from({ length: inputsPerCase - 1 }, () => bytesFor(message, random));
  for (const codec of codecs) {
    let found = compareEncode(codec, message) ?? (typeof unfit?.type === "string" ? compareEncode(codec, unfit) : null);
    for (const bytes of [codec.encode(message), ...inputs])
      found ??= compareRead(codec, definition, bytes) ?? compareDecode(codec, definition.type, bytes);
    if (found) return { what: `${definition.type}, seed ${seed}: ${found.what}`, detail: found.detail };
  }
  return null;
};
