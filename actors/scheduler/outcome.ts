/** What became of a call, as what to do next. The one place that knows the providers' statuses and texts. */

import type { Format } from "./group.ts";

export type Usage = { readonly promptTokens: number; readonly completionTokens: number };

/**
 * `retry-elsewhere` trouble of a provider · `retry-after` the whole group must slow down · `retry-plain` the model takes no
 * such form of answer · `retry-unseen` the model takes no pictures · `park-key` this key is of no use · `park-model` this address or model is of no use · `give-up` this question is
 * refused · `bad-answer` answered, but not with text · `aborted` by ourselves.
 */
export type CallOutcome =
  | { readonly action: "answer"; readonly text: string; readonly usage: Usage }
  | { readonly action: "retry-elsewhere"; readonly cause: "timeout" | "connection" | "server"; readonly reason: string }
  | {
      readonly action: "retry-after";
      readonly cause: "requests" | "tokens" | "ramp" | "quota" | "unavailable";
      /** Null when the provider does not say. */
      readonly afterMs: number | null;
      readonly reason: string;
    }
  | {
      readonly action: "retry-plain" | "retry-unseen" | "park-key" | "park-model" | "give-up" | "aborted";
      readonly reason: string;
    }
  | { readonly action: "bad-answer"; readonly reason: string; readonly usage?: Usage };

const reasonMax = 200;
const retryAfterMaxMs = 120_000;
/** After "you exceeded your current quota": DashScope says it of a limit that resumes within a minute, others of spent credit. */
const quotaPauseMs = 60_000;

/** One line, bounded, without the key or anything that looks like one: it goes to logs, results and metrics. */
export const maskedReason = (reason: string, apiKey: string): string => {
  const withoutKey = apiKey.length >= 4 ? reason.replaceAll(apiKey, "***") : reason;
  return (
    withoutKey
      .replace(/\bsk-[\w*-]{3,}/g, "sk-***")
      .replace(/\bBearer\s+\S+/gi, "Bearer ***")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
      .replace(/[\u0000-\u001f\u007f]+/g, " ")
      .slice(0, reasonMax)
      .toWellFormed()
  );
};

/** `retry-after-ms`, or `retry-after` in seconds or as a date (RFC 9110 10.2.3). */
export const retryAfterMs = (headers: Headers, nowMs: number): number | null => {
  const inMs = headers.get("retry-after-ms");
  const after = headers.get("retry-after")?.trim() ?? "";
  let ms = Number.NaN;
  if (inMs !== null) ms = Number(inMs);
  else if (/^\d+(\.\d+)?$/.test(after)) ms = Number(after) * 1_000;
  else if (/[a-z]/i.test(after)) ms = Date.parse(after) - nowMs; // without a letter it is no date, whatever engines make of it
  return Number.isFinite(ms) ? Math.min(retryAfterMaxMs, Math.max(0, ms)) : null;
};

/** The provider's own words: `error.message` and `error.code`, or `message` and `code`, or the body as it is. */
const wordsOf = (body: string): string => {
  try {
    const parsed: unknown = JSON.parse(body);
    const fields = parsed as { error?: unknown; message?: unknown; code?: unknown } | null; // each is checked below
    const error = (typeof fields?.error === "object" && fields.error !== null ? fields.error : fields) as typeof fields;
    const words = [error?.message, error?.code].filter((word) => typeof word === "string");
    if (typeof fields?.error === "string") words.push(fields.error);
    if (words.length > 0) return words.join(" ");
  } catch {
    // an HTML page of some proxy, or nothing: its beginning has to do
  }
  return body.slice(0, 1_000);
};

const throttled = (words: string, afterMs: number | null, reason: string): CallOutcome => {
  if (/rate increased too quickly|burst/i.test(words)) return { action: "retry-after", cause: "ramp", afterMs, reason };
  if (/allocated quota exceeded|tokens? per|token limit|\btpm\b/i.test(words))
    return { action: "retry-after", cause: "tokens", afterMs, reason };
  if (/insufficient_quota|current quota|billing/i.test(words))
    return { action: "retry-after", cause: "quota", afterMs: afterMs ?? quotaPauseMs, reason };
  return { action: "retry-after", cause: "requests", afterMs, reason };
};

/** Said of the model, not of this picture: OpenAI, vLLM, OpenRouter, llama.cpp, Ollama, DeepSeek. */
const takesNoPictures = new RegExp(
  [
    "image_url is only supported by certain models",
    "(not|n't) support[^.]{0,40}\\b(images?|image_url|vision|multi-?modal)\\b(?! (format|type|size))",
    "\\bimages?( input)?s? (is|are) not supported",
    "not a multi-?modal model",
    "no endpoints found that support image",
    "missing data required for image input",
    "unknown variant .?image_url",
  ].join("|"),
  "i",
);

export const classify = (
  status: number,
  body: string,
  headers: Headers,
  asked: { readonly nowMs: number; readonly format: Format; readonly hasPicture: boolean },
): CallOutcome => {
  const words = wordsOf(body);
  const reason = `HTTP ${status}${words.trim() === "" ? "" : `: ${words.trim()}`}`;
  const afterMs = retryAfterMs(headers, asked.nowMs);
  if (status === 429) return throttled(words, afterMs, reason);
  if (status === 401 || status === 402 || status === 403) return { action: "park-key", reason };
  if (asked.hasPicture && status >= 400 && status !== 408 && takesNoPictures.test(words))
    return { action: "retry-unseen", reason };
  if (status === 404 || status === 405 || status === 410 || (status >= 300 && status < 400))
    return { action: "park-model", reason };
  if (status === 408) return { action: "retry-elsewhere", cause: "timeout", reason };
  if (status >= 500) {
    return afterMs === null
      ? { action: "retry-elsewhere", cause: "server", reason }
      : { action: "retry-after", cause: "unavailable", afterMs, reason };
  }
  // What is left is about the request: 400, 413, 415, 422.
  if (asked.format !== "text" && /response_format|json[_ ](object|schema|mode)/i.test(words))
    return { action: "retry-plain", reason };
  if (/arrearage|good standing|overdue/i.test(words)) return { action: "park-key", reason };
  if (/model.{0,80}(not exist|not found|not support|unsupported)|model_not_found/i.test(words))
    return { action: "park-model", reason };
  return { action: "give-up", reason };
};
