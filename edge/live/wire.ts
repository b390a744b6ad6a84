/**
 * One message to viewers in the forms that are spoken: JSON text, and MessagePack for the subprotocol `vedette.msgpack.v1`. Each
 * form is made at most once, for all clients together, and only when somebody hears it. A message that already travels as
 * MessagePack is not encoded again: its frame is a constant head, then the body as it is.
 */
import { encode } from "@msgpack/msgpack";

export const messagePackProtocol = "vedette.msgpack.v1";

export type Wire = { readonly json: () => string; readonly msgpack: () => Uint8Array };
export type Form = keyof Wire;
export const forms = ["json", "msgpack"] as const satisfies readonly Form[];

export const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};

type Frame = { readonly type: string; readonly data: object };

/** Of a message that nobody has encoded yet. */
export const wireOf = (frame: Frame): Wire => ({
  json: once(() => JSON.stringify(frame)),
  msgpack: once(() => encode(frame, { ignoreUndefined: true })),
});

const heads = new Map<string, Uint8Array>();

/** `{type, data}` up to where `data` begins. */
const headOf = (type: string): Uint8Array => {
  const known = heads.get(type);
  if (known) return known;
  const head = encode({ type, data: null }).subarray(0, -1); // without the one byte of null
  heads.set(type, head);
  return head;
};

const map16 = 0xde;
const fixmap = 0x80;

/** The head of a map with one entry more, and how long its own head is. */
const grown = (body: Uint8Array): { readonly head: readonly number[]; readonly skip: number } => {
  const [first = 0, high = 0, low = 0] = body;
  const isFixed = first >> 4 === fixmap >> 4;
  if (!isFixed && first !== map16) throw new Error("the body of a message is a map");
  const count = (isFixed ? first & 0x0f : high * 256 + low) + 1;
  return { head: count < 16 ? [fixmap | count] : [map16, count >> 8, count & 0xff], skip: isFixed ? 1 : 3 };
};

const joined = (parts: readonly (Uint8Array | readonly number[])[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

/** The frame of a body that is MessagePack already, with a last field beside its own when given. */
export const framed = (type: string, body: Uint8Array, field: { readonly [name: string]: unknown } = {}): Uint8Array => {
  const [named] = Object.entries(field);
  if (!named) return joined([headOf(type), body]);
  const { head, skip } = grown(body);
  return joined([headOf(type), head, body.subarray(skip), encode(named[0]), encode(named[1])]);
};
