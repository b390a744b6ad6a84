/**
 * Messages as MessagePack. The body is a map of the message's fields; its `type` stands in the envelope, so one body serves
 * mailbox, log, Kafka and WebSocket unchanged.
 *
 * Each declared message has an encoder and a decoder made for its schema; whatever they do not expect (fields unknown or in
 * another order, other kinds of value) the library handles, with the same outcome.
 */
import { Decoder, Encoder } from "@msgpack/msgpack";
import { refusalOf } from "./codec/bounds.ts";
import { limits } from "./codec/limits.ts";
import { type Construction, preferredConstruction, type Specialised, specialisedOf } from "./codec/specialised.ts";
import type { MessageDefinition, Tagged } from "./message.ts";

export type DecodeFailure = { readonly code: "notMessagePack" | "unknownType" | "invalidField"; readonly detail: string };
export type Decoded = { readonly ok: true; readonly message: Tagged } | { readonly ok: false; readonly failure: DecodeFailure };

export type Codec = {
  /** The bytes are a copy of their own. */
  readonly encode: (message: Tagged) => Uint8Array;
  /** For bytes that this process encoded. Raw bytes in the message are views on `bytes`. */
  readonly decode: (type: string, bytes: Uint8Array) => Tagged;
  /** For bytes from outside: validates against the declared schema, never throws. Raw bytes in the message are views on `bytes`. */
  readonly read: (type: string, bytes: Uint8Array) => Decoded;
};

export type CodecOptions = {
  /** What to make encoders and decoders by; `none` leaves all to the library. Default: what the host allows. */
  readonly construction?: Construction | "none";
};

/** Above the largest message without pictures, so that the encoder's buffer never grows in steady state. */
const initialBufferSize = 128 * 1024;

const failed = (code: DecodeFailure["code"], detail: string): Decoded => ({ ok: false, failure: { code, detail } });

export const createCodec = (definitions: Iterable<MessageDefinition>, options: CodecOptions = {}): Codec => {
  const byType = new Map<string, MessageDefinition>();
  for (const definition of definitions) byType.set(definition.type, definition);
  const construction = options.construction ?? preferredConstruction();
  const encoder = new Encoder({ initialBufferSize, ignoreUndefined: true, maxDepth: limits.depth });
  const decoder = new Decoder({
    maxStrLength: limits.stringBytes,
    maxBinLength: limits.binBytes,
    maxArrayLength: limits.arrayItems,
    maxMapLength: limits.mapEntries,
    maxExtLength: limits.extBytes,
  });

  const specialised = new Map<string, Specialised | null>();
  /** Made at a message's first use: a process carries a few of all kinds. */
  const fastOf = (type: string): Specialised | null => {
    const known = specialised.get(type);
    if (known !== undefined) return known;
    const definition = byType.get(type);
    if (!definition) return null; // types of one actor's own: not kept, so that names from outside cannot fill the table
    const made = construction === "none" ? null : specialisedOf(definition, construction);
    specialised.set(type, made);
    return made;
  };

  return {
    encode(message) {
      const bytes = fastOf(message.type)?.encode(message);
      if (bytes !== undefined) return bytes;
      const { type: _, ...fields } = message;
      return encoder.encode(fields);
    },

    decode(type, bytes) {
      const message = fastOf(type)?.decode(bytes);
      if (message !== undefined) return message;
      const fields = decoder.decode(bytes) as object; // a map: this process encoded it
      return Object.assign(fields, { type });
    },

    read(type, bytes) {
      if (bytes.length > limits.messageBytes)
        return failed("notMessagePack", `${bytes.length} bytes, at most ${limits.messageBytes} are taken`);
      const message = fastOf(type)?.read(bytes);
      if (message !== undefined) return { ok: true, message };
      const definition = byType.get(type);
      if (!definition) return failed("unknownType", `no message is called ${JSON.stringify(type.slice(0, 64))}`);
      const refusal = refusalOf(bytes);
      if (refusal !== null) return failed("notMessagePack", refusal);
      let fields: unknown;
      try {
        fields = decoder.decode(bytes);
      } catch (thrown) {
        return failed("notMessagePack", thrown instanceof Error ? thrown.message : String(thrown));
      }
      const parsed = definition.schema.safeParse(fields);
      if (parsed.success) return { ok: true, message: Object.assign(parsed.data, { type }) };
      const issue = parsed.error.issues[0];
      return failed("invalidField", `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "does not fit"}`);
    },
  };
};
