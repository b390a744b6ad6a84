/**
 * One call to an OpenAI-compatible chat API, by plain `fetch`. Always ends in an outcome that says what to do next; retrying
 * is the scheduler's own loop, and there is no second one here.
 */
import type { Clock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import type { Format } from "./group.ts";
import { type CallOutcome, classify, maskedReason } from "./outcome.ts";
import { responseFormat } from "./response-format.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export type ChatRequest = {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly model: string;
  readonly system: string;
  readonly user: string;
  /** What the model answered to this question before, and what is wrong with it. */
  readonly repair?: { readonly answer: string; readonly complaint: string } | undefined;
  /** JPEG; empty sends no picture. */
  readonly image: Uint8Array;
  /** How the form of the answer is asked for; some models refuse some. */
  readonly format: Format;
  readonly tokensMax: number;
  readonly timeoutMs: number;
  /** Of the task, so that the provider's account of calls can be held against ours. */
  readonly requestId?: string;
};

/** Of an answer; a model that says more than this is out of its mind. */
const bodyMaxBytes = 262_144;

/** Where the picture goes. Its letters need no escape, so that it is put in after the rest is written, and never scanned. */
const pictureMark = "\u0001picture";
const escapedMark = JSON.stringify(pictureMark).slice(1, -1);

const bodyOf = ({ model, system, user, repair, image, format, tokensMax }: ChatRequest): string => {
  const text = { type: "text", text: user };
  const picture = { type: "image_url", image_url: { url: pictureMark } };
  const hasPicture = image.byteLength > 0;
  const body = JSON.stringify({
    model,
    temperature: 0,
    max_tokens: tokensMax,
    ...responseFormat(format),
    messages: [
      { role: "system", content: system },
      { role: "user", content: hasPicture ? [picture, text] : [text] },
      ...(repair
        ? [
            { role: "assistant", content: repair.answer },
            { role: "user", content: repair.complaint },
          ]
        : []),
    ],
  });
  if (!hasPicture) return body;
  const at = body.indexOf(escapedMark); // the first: what stands before it are our own words
  return `${body.slice(0, at)}data:image/jpeg;base64,${image.toBase64()}${body.slice(at + escapedMark.length)}`;
};

/** The body's text, or null when it is longer than allowed; what is left is not read. */
const readBody = async (response: Response): Promise<string | null> => {
  const length = response.headers.get("content-length");
  // Said beforehand, it is kept to by HTTP; and whole bodies cost less than streams.
  if (length !== null && Number(length) <= bodyMaxBytes && !response.headers.has("content-encoding")) return response.text();
  const reader = response.body?.getReader();
  if (!reader) return "";
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new TextDecoder().decode(Buffer.concat(pieces));
    sizeBytes += value.byteLength;
    if (sizeBytes > bodyMaxBytes) {
      reader.cancel().catch(() => {}); // the connection is given up either way
      return null;
    }
    pieces.push(value);
  }
};

const tokens = (value: unknown): number => (typeof value === "number" && value >= 0 && value < 1e9 ? Math.floor(value) : 0);

const contentOf = (content: unknown): string => {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: { text?: unknown } | null) => (typeof part?.text === "string" ? part.text : "")).join("");
};

/** The answer within a 2xx body. */
const answerOf = (body: string): CallOutcome => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return { action: "bad-answer", reason: "the response is not JSON" };
  }
  // Every field is checked where it is used.
  const fields = parsed as { choices?: unknown; usage?: { prompt_tokens?: unknown; completion_tokens?: unknown } } | null;
  const choice = (Array.isArray(fields?.choices) ? fields.choices[0] : null) as
    | { message?: { content?: unknown } }
    | null
    | undefined;
  const text = contentOf(choice?.message?.content);
  const usage = {
    promptTokens: tokens(fields?.usage?.prompt_tokens),
    completionTokens: tokens(fields?.usage?.completion_tokens),
  };
  if (text.trim() === "") return { action: "bad-answer", reason: "the response has no text", usage };
  return { action: "answer", text, usage };
};

const send = async (fetch: Fetch, request: ChatRequest, clock: Clock, signal: AbortSignal): Promise<CallOutcome> => {
  const response = await fetch(`${request.baseUrl.replace(/\/+$/, "")}/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(request.requestId === undefined ? {} : { "x-client-request-id": request.requestId }),
      ...(request.apiKey === "" ? {} : { authorization: `Bearer ${request.apiKey}` }),
    },
    body: bodyOf(request),
    redirect: "manual", // a redirect would carry the key elsewhere
    signal,
  });
  const body = await readBody(response);
  if (response.ok)
    return body === null ? { action: "bad-answer", reason: "the response is longer than 256 KiB" } : answerOf(body);
  return classify(response.status, body ?? "", response.headers, {
    nowMs: clock.nowMs(),
    format: request.format,
    hasPicture: request.image.byteLength > 0,
  });
};

/** Never rejects. Ends at the timeout or the abort even if `fetch` heeds neither. */
export const callChat = async (
  ports: { readonly fetch: Fetch; readonly clock: Clock },
  request: ChatRequest,
  signal: AbortSignal,
): Promise<CallOutcome> => {
  if (signal.aborted) return { action: "aborted", reason: "the call was taken back" };
  const controller = new AbortController();
  let cancelTimer = () => {};
  let abort = () => {};
  const cutShort = new Promise<CallOutcome>((resolve) => {
    const end = (outcome: CallOutcome) => {
      resolve(outcome);
      controller.abort();
    };
    cancelTimer = ports.clock.after(request.timeoutMs, () =>
      end({ action: "retry-elsewhere", cause: "timeout", reason: `no answer within ${Math.round(request.timeoutMs)} ms` }),
    );
    abort = () => end({ action: "aborted", reason: "the call was taken back" });
    signal.addEventListener("abort", abort, { once: true });
  });
  const answered = send(ports.fetch, request, ports.clock, controller.signal).catch(
    (thrown): CallOutcome => ({ action: "retry-elsewhere", cause: "connection", reason: reasonOf(thrown) }),
  );
  const outcome = await Promise.race([cutShort, answered]);
  cancelTimer();
  signal.removeEventListener("abort", abort);
  return outcome.action === "answer" ? outcome : { ...outcome, reason: maskedReason(outcome.reason, request.apiKey) };
};
