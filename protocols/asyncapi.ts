/** The AsyncAPI 3 page of everything that travels: the WebSocket both ways, and the topics. A pure function of the declarations. */
import { z } from "zod";
import { alertNotifications } from "./alert.ts";
import type { MessageDefinition } from "./message.ts";
import type { TopicDefinition } from "./topic.ts";
import { topics } from "./topics.ts";
import { tracksEvents } from "./tracks.ts";
import { clientMessages, serverMessages } from "./websocket.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

const isObject = (value: Json): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

/** Puts shared definitions where they are used: a reference would be read from the root of the page. */
const inline = (value: Json, definitions: JsonObject): Json => {
  if (Array.isArray(value)) return value.map((each) => inline(each, definitions));
  if (!isObject(value)) return value;
  const reference = value.$ref;
  if (typeof reference === "string") return inline(definitions[reference.replace("#/$defs/", "")] ?? {}, definitions);
  const entries = Object.entries(value).filter(([key]) => key !== "$defs" && key !== "$schema" && key !== "id");
  return Object.fromEntries(entries.map(([key, each]) => [key, inline(each, definitions)]));
};

/** The JSON Schema of a message's fields. Bytes are `bin` in MessagePack. */
export const jsonSchemaOf = (schema: z.ZodType): JsonObject => {
  const made = z.toJSONSchema(schema, {
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      if (zodSchema._zod.def.type === "custom") Object.assign(jsonSchema, { type: "string", format: "binary" });
    },
  });
  const plain = JSON.parse(JSON.stringify(made)) as JsonObject; // JSON in, JSON out
  const definitions = plain.$defs ?? {};
  return inline(plain, isObject(definitions) ? definitions : {}) as JsonObject; // an object stays one
};

const envelope = (definition: MessageDefinition): JsonObject => ({
  name: definition.type,
  title: definition.type,
  summary: definition.doc,
  contentType: "application/json",
  payload: {
    type: "object",
    required: ["type", "data"],
    properties: { type: { const: definition.type }, data: jsonSchemaOf(definition.schema) },
  },
});

const record = (definition: MessageDefinition, contentType: string): JsonObject => ({
  name: definition.type,
  title: definition.type,
  summary: definition.doc,
  contentType,
  payload: jsonSchemaOf(definition.schema),
});

const table = <T>(items: Iterable<T>, keyOf: (item: T) => string, jsonOf: (item: T) => Json): JsonObject =>
  Object.fromEntries([...items].map((item) => [keyOf(item), jsonOf(item)]));

const topicChannel = (topic: TopicDefinition<never>): JsonObject => ({
  address: topic.name,
  description: topic.doc,
  servers: [{ $ref: "#/servers/bus" }],
  messages: table(
    topic.messages,
    ({ type }) => type,
    // Tracks are for programs that read JSON, whatever the other topics are written in.
    (each) => record(each, topic.name === tracksEvents.name ? "application/json" : "application/vnd.msgpack"),
  ),
  bindings: { kafka: { topic: topic.name, partitions: topic.partitions } },
});

const operation = (action: "send" | "receive", channel: string, definitions: readonly MessageDefinition[]): JsonObject => ({
  action,
  channel: { $ref: `#/channels/${channel}` },
  messages: definitions.map(({ type }) => ({ $ref: `#/channels/${channel}/messages/${type}` })),
});

/** The page, as seen from this application: it receives what clients send. */
export const asyncApi = (version: string): JsonObject => {
  const toServer: readonly MessageDefinition[] = Object.values(clientMessages);
  const toClient: readonly MessageDefinition[] = Object.values(serverMessages);
  const all: readonly TopicDefinition<never>[] = [...Object.values(topics), alertNotifications, tracksEvents];
  return {
    asyncapi: "3.0.0",
    info: { title: "Vedette", version, description: "Live messages over WebSocket, and the topics behind them." },
    defaultContentType: "application/json",
    servers: {
      edge: { host: "127.0.0.1:8080", protocol: "ws", description: "The edge; wss behind a proxy that ends TLS." },
      bus: {
        host: "localhost:9092",
        protocol: "kafka",
        description:
          "When `bus: kafka`; else the embedded log. `content-type` says the form: `kafka.format: json` writes three topics as JSON.",
      },
    },
    channels: {
      live: {
        address: "/ws",
        description:
          "Text frames of JSON `{type, data}`. With the subprotocol `vedette.msgpack.v1`: binary frames of the same in MessagePack, where a picture is a `bin`.",
        servers: [{ $ref: "#/servers/edge" }],
        messages: table([...toServer, ...toClient], ({ type }) => type, envelope),
      },
      ...table(all, ({ name }) => name, topicChannel),
    },
    operations: {
      listen: operation("receive", "live", toServer),
      tell: operation("send", "live", toClient),
      ...table(
        all,
        ({ name }) => `write-${name}`,
        ({ name, messages }) => operation("send", name, messages),
      ),
    },
  };
};
