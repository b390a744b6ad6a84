import { describe, expect, test } from "bun:test";
import type { Format } from "../../../../actors/scheduler/group.ts";
import { classify, maskedReason, retryAfterMs } from "../../../../actors/scheduler/outcome.ts";

const nowMs = Date.UTC(2026, 0, 1);
const error = (message: string, code = "") => JSON.stringify({ error: { message, type: code, code } });
const outcome = (
  status: number,
  body = "",
  headers: Record<string, string> = {},
  format: Format = "json_object",
  hasPicture = true,
) => classify(status, body, new Headers(headers), { nowMs, format, hasPicture });

describe("what a refusal means", () => {
  const rows: readonly [string, number, string, object][] = [
    [
      "429, requests",
      429,
      error("Requests rate limit exceeded, please try again later.", "limit_requests"),
      { action: "retry-after", cause: "requests", afterMs: null },
    ],
    [
      "429, tokens",
      429,
      error("Allocated quota exceeded, please increase your quota limit.", "insufficient_quota"),
      { action: "retry-after", cause: "tokens", afterMs: null },
    ],
    [
      "429, ramp",
      429,
      error(
        "Request rate increased too quickly. To ensure system stability, please scale requests more smoothly over time.",
        "limit_burst_rate",
      ),
      { action: "retry-after", cause: "ramp", afterMs: null },
    ],
    [
      "429, quota or credit",
      429,
      error("You exceeded your current quota, please check your plan and billing details.", "insufficient_quota"),
      { action: "retry-after", cause: "quota", afterMs: 60_000 },
    ],
    ["429 without words", 429, "", { action: "retry-after", cause: "requests" }],
    ["E1.9: 401", 401, error("Incorrect API key provided."), { action: "park-key" }],
    ["402", 402, "", { action: "park-key" }],
    ["E1.9: 403", 403, "Forbidden", { action: "park-key" }],
    [
      "400 for overdue payment",
      400,
      error("Access denied, please make sure your account is in good standing.", "Arrearage"),
      { action: "park-key" },
    ],
    ["404", 404, error("The model `x` does not exist"), { action: "park-model" }],
    ["400 for an unknown model", 400, error("Model not exist.", "InvalidParameter"), { action: "park-model" }],
    ["a redirect", 302, "", { action: "park-model" }],
    ["408", 408, "", { action: "retry-elsewhere", cause: "timeout" }],
    ["500", 500, error("oops"), { action: "retry-elsewhere", cause: "server", reason: "HTTP 500: oops" }],
    [
      "an HTML page of a proxy",
      502,
      "<html>Bad Gateway</html>",
      { action: "retry-elsewhere", cause: "server", reason: "HTTP 502: <html>Bad Gateway</html>" },
    ],
    ["400 for the picture", 400, error("The image length and width do not meet the model restrictions."), { action: "give-up" }],
    [
      "400 for its content",
      400,
      error("Input data may contain inappropriate content.", "DataInspectionFailed"),
      { action: "give-up" },
    ],
    ["413", 413, "", { action: "give-up", reason: "HTTP 413" }],
    [
      "400 for JSON mode",
      400,
      error("'response_format' of type 'json_object' is not supported with this model."),
      { action: "retry-plain" },
    ],
    [
      "an error that is a plain text",
      422,
      JSON.stringify({ error: "bad request" }),
      { action: "give-up", reason: "HTTP 422: bad request" },
    ],
  ];
  test.each(rows)("%s", (_, status, body, expected) => expect(outcome(status, body)).toMatchObject(expected));

  const blind: readonly [string, number, string][] = [
    ["OpenAI", 400, error("Invalid content type. image_url is only supported by certain models.")],
    ["vLLM", 400, error("At most 0 image(s) may be provided: qwen2.5-7b is not a multimodal model")],
    ["OpenRouter", 404, error("No endpoints found that support image input")],
    ["llama.cpp", 500, error("image input is not supported - hint: you may need to provide the mmproj")],
    ["Ollama", 500, error("this model is missing data required for image input")],
    ["DeepSeek", 400, error("unknown variant `image_url`, expected `text`")],
    ["others", 422, error("The model text-1 does not support images.")],
  ];
  test.each(blind)("a model that takes no pictures, in the words of %s", (_, status, body) => {
    expect(outcome(status, body)).toMatchObject({ action: "retry-unseen" });
    expect(outcome(status, body, {}, "text", false)).not.toMatchObject({ action: "retry-unseen" });
  });
  test("a picture that is refused for itself says nothing of others", () => {
    for (const words of [
      "The model does not support image format webp.",
      "Failed to decode the image.",
      "The image is too large.",
    ])
      expect(outcome(400, error(words))).not.toMatchObject({ action: "retry-unseen" });
  });

  test("a complaint about JSON mode that was not asked for is no reason to ask without it", () => {
    expect(outcome(400, error("response_format is wrong"), {}, "text")).toMatchObject({ action: "give-up" });
  });
  test("503 with Retry-After slows the group down", () => {
    expect(outcome(503, "", { "retry-after": "2" })).toMatchObject({
      action: "retry-after",
      cause: "unavailable",
      afterMs: 2_000,
    });
  });
});

describe("Retry-After", () => {
  const rows: readonly [Record<string, string>, number | null][] = [
    [{}, null],
    [{ "retry-after": "3" }, 3_000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after-ms": "250", "retry-after": "9" }, 250],
    [{ "retry-after": new Date(nowMs + 4_000).toUTCString() }, 4_000],
    [{ "retry-after": new Date(nowMs - 4_000).toUTCString() }, 0],
    [{ "retry-after": "86400" }, 120_000],
    [{ "retry-after": "soon" }, null],
    [{ "retry-after": "-5" }, null],
    [{ "retry-after-ms": "x" }, null],
  ];
  test.each(rows)("%p", (headers, expected) => expect(retryAfterMs(new Headers(headers), nowMs)).toBe(expected));
});

test("E3.40: a reason is one bounded line without keys", () => {
  const key = "sk-0123456789abcdef";
  expect(maskedReason(`bad key ${key}\nor sk-abcdef or Bearer xyz.1`, key)).toBe("bad key *** or sk-*** or Bearer ***");
  expect(maskedReason(`own-secret-1 and more`, "own-secret-1")).toBe("*** and more");
  expect(maskedReason("x".repeat(500), "")).toHaveLength(200);
});
