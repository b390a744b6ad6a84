/** One call to an OpenAI-compatible chat endpoint. It never rejects: whatever happens is an outcome, and says what to do next. */
import type { Prompt } from "./prompt.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type Endpoint = { readonly baseUrl: string; readonly model: string; readonly secret: string };

/**
 * What a failed call means: another key or group may do better; this group must slow down; the key or the model is of no
 * use until someone mends it; or nothing will help this task.
 */
export type FailureAction = "elsewhere" | "slow_down" | "park_key" | "park_model" | "give_up";

export type CallOutcome =
  | { readonly ok: true; readonly text: string; readonly promptTokens: number; readonly completionTokens: number }
  | {
      readonly ok: false;
      readonly action: FailureAction;
      readonly status: number | null;
      readonly reason: string;
      readonly retryAfterMs: number | null;
    };

export type Call = {
  readonly fetch: Fetch;
  readonly endpoint: Endpoint;
  readonly prompt: Prompt;
  /** JPEG; empty for none. */
  readonly image: Uint8Array;
  /** Asks for a JSON object. Some models refuse the option. */
  readonly jsonMode: boolean;
  readonly signal: AbortSignal;
};

const answerBytesMax = 1024 * 1024;
const completionTokensMax = 800;
const reasonMax = 200;

const bodyOf = ({ endpoint, prompt, image, jsonMode }: Call): string => {
  const picture =
    image.byteLength === 0
      ? []
      : [{ type: "image_url", image_url: { url: `data:image/jpeg;base64,${Buffer.from(image).toString("base64")}` } }];
  return JSON.stringify({
    model: endpoint.model,
    messages: [
      { role: "system", content: prompt.system },
      { role: "user", content: [...picture, { type: "text", text: prompt.user }] },
    ],
    temperature: 0,
    max_tokens: completionTokensMax,
    ...(jsonMode ? { response_format: { type: "json_object" } } : {}),
  });
};

/** The body as text, at most a mebibyte of it. */
const readBody = async (response: Response): Promise<string> => {
  const reader = response.body?.getReader();
  if (!reader) return "";
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    sizeBytes += value.byteLength;
    if (sizeBytes > answerBytesMax) {
      await reader.cancel();
      throw new Error(`the answer is larger than ${answerBytesMax} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
};

/** `Retry-After` in seconds or as a date is common; some providers add one in milliseconds. */
const retryAfterOf = (headers: Headers, nowMs: number): number | null => {
  const milliseconds = Number(headers.get("retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(milliseconds)) return Math.max(0, milliseconds);
  const text = headers.get("retry-after");
  if (text === null) return null;
  const waitMs = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : null;
};

const actionOf = (status: number): FailureAction => {
  if (status === 401 || status === 402 || status === 403) return "park_key";
  if (status === 404) return "park_model";
  if (status === 429) return "slow_down";
  return status === 408 || status === 409 || status >= 500 ? "elsewhere" : "give_up";
};

const contentOf = (answer: unknown): string | null => {
  const choices = (answer as { choices?: unknown } | null)?.choices;
  const content = Array.isArray(choices)
    ? (choices[0] as { message?: { content?: unknown } } | undefined)?.message?.content
    : undefined;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return null;
  return content.map((part) => (typeof part?.text === "string" ? part.text : "")).join("");
};

const countOf = (value: unknown): number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? Math.floor(value) : 0;

const answered = (text: string): CallOutcome => {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return { ok: false, action: "elsewhere", status: 200, reason: "the endpoint's answer is no JSON", retryAfterMs: null };
  }
  const content = contentOf(answer);
  if (content === null)
    return { ok: false, action: "elsewhere", status: 200, reason: "the endpoint's answer has no message", retryAfterMs: null };
  const usage = (answer as { usage?: { prompt_tokens?: unknown; completion_tokens?: unknown } }).usage;
  return {
    ok: true,
    text: content,
    promptTokens: countOf(usage?.prompt_tokens),
    completionTokens: countOf(usage?.completion_tokens),
  };
};

/** True when the refusal is about the option that asks for JSON. */
export const refusesJsonMode = (outcome: CallOutcome): boolean =>
  !outcome.ok && outcome.status === 400 && /response_format|json_object|json mode/i.test(outcome.reason);

export const callModel = async (call: Call, nowMs: () => number): Promise<CallOutcome> => {
  const { fetch, endpoint, signal } = call;
  // A provider's error may repeat what it was sent.
  const safe = (text: string) => text.replaceAll(endpoint.secret, "***").replace(/\s+/g, " ").trim().slice(0, reasonMax);
  try {
    const response = await fetch(`${endpoint.baseUrl.replace(/\/+$/, "")}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${endpoint.secret}` },
      body: bodyOf(call),
      redirect: "error",
      signal,
    });
    const text = await readBody(response);
    if (response.ok) return answered(text);
    const { status, headers } = response;
    return {
      ok: false,
      action: actionOf(status),
      status,
      reason: `HTTP ${status}: ${safe(text)}`,
      retryAfterMs: retryAfterOf(headers, nowMs()),
    };
  } catch (thrown) {
    const reason = signal.aborted ? "no answer in time" : safe(thrown instanceof Error ? thrown.message : String(thrown));
    return { ok: false, action: "elsewhere", status: null, reason, retryAfterMs: null };
  }
};
