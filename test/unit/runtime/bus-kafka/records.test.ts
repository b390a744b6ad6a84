import { describe, expect, test } from "bun:test";
import { message } from "../../../../protocols/message.ts";
import { topic } from "../../../../protocols/topic.ts";
import { decodeRecord, encodeRecord, type RecordForm, type Wire } from "../../../../runtime/bus-kafka/records.ts";
import { kafkaTopic } from "../../../../runtime/bus-kafka/topic.ts";

const jobs = topic({
  ...{ name: "jobs", doc: "Jobs.", messages: [message("job", "A job.", {})], partitions: 4, retentionMs: 60_000 },
  ...{ maxBytes: 1_024, group: null, keyOf: () => "", idOf: () => "" },
});
const place = kafkaTopic(jobs, {}, 1);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const upper = new TextEncoder();

/** Writes in capitals what is not `plain`, and reads it back. */
const capitals: RecordForm = {
  contentType: "application/json",
  write: (_topic, _type, bytes) => (text(bytes) === "plain" ? null : upper.encode(`{${text(bytes).toUpperCase()}`)),
  read: (_topic, value) =>
    text(value).includes("BAD")
      ? { unreadable: "it is bad" }
      : { bytes: upper.encode(text(value).slice(1).toLowerCase()), id: "its-own", trace: "c".repeat(32) },
};
const wire: Wire = { source: "test", nowMs: () => 0, writes: capitals, reads: [capitals] };
const record = (value: string) => ({
  ...{ topic: "jobs", key: "7", id: "i1", type: "job", trace: "" },
  bytes: upper.encode(value),
});
const raw = (value: string, headers: Record<string, string> = {}) => ({
  ...{ offset: "5", timestamp: "9", key: Buffer.from("7"), value: Buffer.from(value) },
  headers: Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, Buffer.from(each)])),
});

test.each([
  ["in the form that is written", "abc", "application/json", "{ABC"],
  ["as it is, where the topic has no such form", "plain", "application/msgpack", "plain"],
])("a value goes out %s, and its content type says so", (_what, given, type, value) => {
  const { message } = encodeRecord(record(given), place, wire);
  expect(message.headers?.["content-type"]).toBe(type);
  expect(message.value?.toString()).toBe(value);
});

test("JSON that nobody understood goes back as JSON, not as MessagePack", () => {
  const { message } = encodeRecord(record("{x"), place, { ...wire, writes: null });
  expect(message.headers?.["content-type"]).toBe("application/json");
});

describe("a value is read by what the record says it is", () => {
  test.each([
    ["by its content type", "{ABC", { "content-type": "application/json" }, "abc"],
    ["by its content type with a parameter", "{ABC", { "content-type": "Application/JSON; charset=utf-8" }, "abc"],
    ["by its first byte, without one", "{ABC", {}, "abc"],
    ["as ours, without one, where it begins otherwise", "abc", {}, "abc"],
    ["as ours, whatever its first byte, where it says so", "{abc", { "content-type": "application/msgpack" }, "{abc"],
  ])("%s", (_what, value, headers, expected) => {
    const found = decodeRecord(raw(value, headers), place, 2, wire);
    expect(text(found.bytes)).toBe(expected);
    expect(found).not.toHaveProperty("unreadable");
  });

  test.each([
    ["a value that its form refuses", "{BAD", {}, "it is bad"],
    [
      "a content type that is not known",
      "x",
      { "content-type": "application/avro" },
      "content-type application/avro is not read here",
    ],
  ])("%s is handed on as it is, with the reason", (_what, value, headers, reason) => {
    const found = decodeRecord(raw(value, headers), place, 2, wire);
    expect(found).toMatchObject({ unreadable: reason, id: "2/5" });
    expect(text(found.bytes)).toBe(value);
  });
});

test("id and trace come from the headers, else from the value", () => {
  const own = decodeRecord(raw("{ABC"), place, 2, wire);
  expect(own).toMatchObject({ id: "its-own", trace: "c".repeat(32), type: "job", key: "7", offset: 5, appendedAtMs: 9 });
  const headers = { ce_id: "i9", traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };
  expect(decodeRecord(raw("{ABC", headers), place, 2, wire)).toMatchObject({ id: "i9", trace: "a".repeat(32) });
});

test("headers without a value, and names longer than ours may be, are no hindrance", () => {
  const headers = { "content-type": null, ce_id: [null], traceparent: null };
  const found = decodeRecord({ ...raw("abc"), headers, key: Buffer.from("k".repeat(2_000)) }, place, 2, wire);
  expect(found).toMatchObject({ id: "2/5", trace: "", type: "job", key: "k".repeat(512) });
  const long = { ce_id: "i".repeat(2_000), "vedette.type": "t".repeat(2_000) };
  expect(decodeRecord(raw("abc", long), place, 2, wire)).toMatchObject({ id: "i".repeat(512), type: "t".repeat(512) });
});
