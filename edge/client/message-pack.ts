/** The MessagePack form for `edge/client.ts`; apart, so that a page that speaks JSON does not carry the library. */
import { decode, encode } from "@msgpack/msgpack";
import type { BinaryForm } from "../client.ts";

export const messagePack: BinaryForm = { protocol: "vedette.msgpack.v1", encode: (message) => encode(message), decode };
