import { expect, test } from "bun:test";
import { ConfigSchema } from "../../../config/schema.ts";
import { describedAt, leafPaths, nearest } from "../../../config/shape.ts";

test("every setting says what it is for", () => {
  const plain = new Set(["alerts.webhooks", "kafka.sasl.mechanism", "kafka.sasl.username"]);
  const silent = leafPaths()
    .filter((path) => describedAt(path) === "")
    .map((path) => path.join("."));
  expect(silent.filter((path) => !plain.has(path))).toEqual([]);
});

test("every setting has a default", () => {
  expect(ConfigSchema.safeParse({}).success).toBe(true);
});

test("every number of time or size has its unit in its name", () => {
  const timeWords = /timeout|interval|cooldown$|deadline$|delay|period|linger$|backoff$|retention$|session$|heartbeat$/i;
  expect(
    leafPaths()
      .map((path) => String(path.at(-1)))
      .filter((name) => timeWords.test(name) && !/Ms$/.test(name)),
  ).toEqual([]);
});

test.each([
  ["prot", ["port", "host"], "port"],
  ["bootstrap_servers", ["bootstrapServers"], "bootstrapServers"],
  ["cooldownMS", ["cooldownMs", "deadlineMs"], "cooldownMs"],
  ["zzzzzz", ["port", "host"], null],
  ["", ["port"], null],
])("the key nearest to %p among %p is %p", (wrong, candidates, expected) => {
  expect(nearest(wrong, candidates)).toBe(expected);
});
