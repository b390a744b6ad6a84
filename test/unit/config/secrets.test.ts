import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isSecretName, looksSecret, maskSecrets } from "../../../config/secrets.ts";

describe("maskSecrets", () => {
  test.each([
    ["a provider's key", "call failed with sk-0123456789abcdef", "call failed with sk-***"],
    ["a bearer token", "Authorization: Bearer abc.def-123=", "Authorization: Bearer ***"],
    ["a login in a URL", "rtsp://ops:p4ss@10.0.0.9/x", "rtsp://***:***@10.0.0.9/x"],
    ["an unescaped @ in a password", "rtsp://ops:p@4ss@10.0.0.9/x", "rtsp://***:***@10.0.0.9/x"],
    ["a password without a user", "redis://:hunter2@cache:6379/0", "redis://***:***@cache:6379/0"],
    ["a query", "http://cam/x?token=abcd1234&y=1", "http://cam/x?token=***&y=1"],
    ["JSON", '{"api_key":"abcd1234","n":1}', '{"api_key":"***","n":1}'],
    ["a web token", "got eyJhbGciOiJI.eyJzdWIiOiIx.sflKxwRJ", "got ***"],
  ])("hides %s", (_what, text, expected) => {
    expect(maskSecrets(text)).toBe(expected);
  });

  test.each([
    "risk-assessment-results and task-generator-group",
    "rtsp://10.0.0.9:554/stream@2",
    "basic authentication is not offered",
    "0192f1a2-7b3c-7d4e-8f50-123456789abc_group1",
    "sim://junction?seed=7",
  ])("leaves alone: %s", (text) => {
    expect(looksSecret(text)).toBe(false);
  });

  test("masking what is masked changes nothing", () => {
    const pieces = fc.constantFrom(
      "sk-",
      "abcdef12",
      "Bearer ",
      "://",
      "u:p@h",
      "token=",
      '"',
      " ",
      "eyJabcdefgh.",
      "Kafka:9092",
      "***",
      "@",
      ":",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const once = maskSecrets(parts.join(""));
        expect(maskSecrets(once)).toBe(once);
      }),
    );
  });

  test("takes linear time on hostile text", () => {
    const hostile = [
      "rtsp://a:".repeat(4_000),
      `${"a:".repeat(8_000)}@`,
      `Bearer ${"a".repeat(30_000)}`,
      `eyJ${"a.".repeat(10_000)}`,
    ];
    const startedAt = Bun.nanoseconds();
    for (const text of hostile) maskSecrets(text);
    expect(Bun.nanoseconds() - startedAt).toBeLessThan(2e9);
  });
});

test.each([
  ["apiKey", true],
  ["api_key", true],
  ["password", true],
  ["authorization", true],
  ["kafka-token", true],
  ["groupKey", false],
  ["key_id", false],
  ["apiKeyId", false],
  ["tokens", false],
])("%s asks for a secret: %p", (name, expected) => {
  expect(isSecretName(name)).toBe(expected);
});
