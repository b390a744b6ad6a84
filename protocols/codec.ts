/**
 * Messages as MessagePack. The body is a map of the message's fields; its `type` stands in the envelope, so one body serves
 * mailbox, log, Kafka and WebSocket unchanged.
 */
import { Decoder, Encoder } from "@msgpack/msgpack";
import type { MessageDefinition, Tagged } from "./message.ts";

export type DecodeFailure = { readonly code: "notMessagePack" | "unknownType" | "invalidField"; readonly detail: string };
export type Decoded = { readonly ok: true; readonly message: Tagged } | { readonly ok: false; readonly failure: DecodeFailure };

export type Codec = {
  readonly encode: (message: Tagged) => Uint8Array;
  /** For bytes that this process encoded. */
  readonly decode: (type: string, bytes: Uint8Array) => Tagged;
  /** For bytes from outside: validates against the declared schema, never throws. */
  readonly read: (type: string, bytes: Uint8Array) => Decoded;
};

/** Above the largest message, so that the encoder's buffer never grows in steady state. */
const initialBufferSize = 128 * 1024;
const limits = {
  maxStrLength: 1 << 16,
  maxBinLength: 1 << 20,
  maxArrayLength: 1 << 14,
  maxMapLength: 1 << 10,
  maxExtLength: 64,
  maxDepth: 32,
};

export const createCodec = (definitions: Iterable<MessageDefinition>): Codec => {
  const byType = new Map<string, MessageDefinition>();
  for (const definition of definitions) byType.set(definition.type, definition);
  const encoder = new Encoder({ initialBufferSize, ignoreUndefined: true, maxDepth: limits.maxDepth });
  const decoder = new Decoder(limits);

  return {
    encode({ type: _, ...fields }) {
      return encoder.encode(fields);
    },

    decode(type, bytes) {
      const fields = decoder.decode(bytes) as object; // a map: this process encoded it
      return Object.assign(fields, { type });
    },

    read(type, bytes) {
      const definition = byType.get(type);
      if (!definition)
        return {
          ok: false,
          failure: { code: "unknownType", detail: `no message is called ${JSON.stringify(type.slice(0, 64))}` },
        };
      let fields: unknown;
      try {
        fields = decoder.decode(bytes);
      } catch (thrown) {
        return {
          ok: false,
          failure: { code: "notMessagePack", detail: thrown instanceof Error ? thrown.message : String(thrown) },
        };
      }
      const parsed = definition.schema.safeParse(fields);
      if (parsed.success) return { ok: true, message: Object.assign(parsed.data, { type }) };
      const issue = parsed.error.issues[0];
      return {
        ok: false,
        failure: { code: "invalidField", detail: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "does not fit"}` },
      };
    },
  };
};
