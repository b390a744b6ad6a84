/**
 * An OpenAI-compatible chat endpoint without a model, for trying the system out, for tests and for benchmarks. It polices the
 * limits of accounts on its own clock, and can fail in the ways that providers do.
 */
import { type Clock, delay, systemClock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { type Random, randomInt, seededRandom } from "../../runtime/random.ts";
import { answerTo, ChatRequest, garbageKinds, garbageOf, readQuestion, tokensOf } from "./answer.ts";
import { accountBook, type Refusal, refusals } from "./limits.ts";
import type { SimSettings } from "./options.ts";
import { createTally, inFlightMax, type Stats } from "./stats.ts";

export type LlmSimOptions = SimSettings & {
  /** Of arrivals, limits and latencies. */
  readonly clock?: Clock;
  /** Instead of one made of the seed. */
  readonly random?: Random;
  /** Is told of each call to the chat endpoint when it is over. */
  readonly called?: (call: SimCall) => void;
};

export type SimCall = {
  /** As the caller names it in `x-client-request-id`; empty without. */
  readonly requestId: string;
  /** By the wall clock. */
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  /** `cut`: the caller went away before its answer. */
  readonly outcome: "answered" | "refused" | "cut";
};

export type LlmSim = AsyncDisposable & {
  /** `http://127.0.0.1:PORT`; the base URL of clients ends in `/v1`. */
  readonly url: string;
  readonly port: number;
  readonly stats: () => Stats;
  readonly stop: () => Promise<void>;
};

const bodyMaxBytes = 4 * 1024 * 1024;
const slowMs = 29_000;
const defaultLatencyMs = [200, 200] as const;
const models = ["qwen-vl-plus", "qwen-vl-max", "sim-vl"];
const brokenStatuses = [500, 502, 503, 504] as const;
const refusalKinds = ["requests", "tokens", "ramp"] as const;

const failure = (status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}): Response =>
  Response.json({ error: { message, type: code, param: null, code } }, { status, headers });

const refused = ({ kind, retryAfterMs }: Refusal): Response => {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  return failure(429, refusals[kind].code, refusals[kind].text, { "retry-after": String(seconds) });
};

/** Empty when the request has none. */
const keyOf = (request: Request): string => /^Bearer +(\S{1,512})$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
const unknownKey = (key: string): Response =>
  failure(401, "invalid_api_key", key === "" ? "llm-sim: no API key was sent" : "llm-sim: Incorrect API key provided.");

type Body = { readonly ok: true; readonly chat: ChatRequest } | { readonly ok: false; readonly response: Response };

const readBody = async (request: Request): Promise<Body> => {
  const no = (status: number, code: string, message: string): Body => ({ ok: false, response: failure(status, code, message) });
  let text: string;
  try {
    text = await request.text();
  } catch (thrown) {
    return no(400, "invalid_request_error", `llm-sim: the body could not be read: ${reasonOf(thrown)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return no(400, "invalid_request_error", "llm-sim: the body is no JSON");
  }
  const { success, data, error } = ChatRequest.safeParse(value);
  if (!success) {
    const [first] = error.issues;
    return no(400, "invalid_request_error", `llm-sim: ${first?.path.join(".") || "the body"}: ${first?.message}`);
  }
  return data.stream ? no(400, "unsupported", "llm-sim: streamed answers are not supported") : { ok: true, chat: data };
};

type Sim = {
  readonly settings: SimSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly tally: ReturnType<typeof createTally>;
  readonly accountOf: ReturnType<typeof accountBook>;
  readonly called: (call: SimCall) => void;
};

const latencyOf = ({ settings, random }: Sim): number => {
  if (settings.profile === "slow") return slowMs;
  const [fromMs, toMs] = settings.latencyMs ?? defaultLatencyMs;
  return fromMs + random.next() * (toMs - fromMs);
};

const completion = (sim: Sim, { model, messages }: ChatRequest, number: number) => {
  const { settings, random, clock } = sim;
  const question = readQuestion(messages);
  const answer = answerTo(question, settings.level ?? null, random);
  const garbage = settings.profile === "garbage" ? garbageKinds[randomInt(random, garbageKinds.length)] : undefined;
  const content = garbage === undefined ? JSON.stringify(answer) : garbageOf(garbage, answer);
  const [promptTokens, completionTokens] = [question.promptTokens, tokensOf(content)];
  return {
    id: `chatcmpl-llm-sim-${number}`,
    object: "chat.completion",
    created: Math.floor(clock.nowMs() / 1_000),
    model,
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: garbage === "truncated" ? "length" : "stop" }],
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
    },
  };
};

/** `number` counts requests from 1. Rejects when the client goes away or the simulator stops. */
const answerChat = async (sim: Sim, request: Request, key: string, number: number): Promise<Response> => {
  const { settings, clock, random, tally } = sim;
  const account = key === "" ? null : sim.accountOf(key);
  // Judged at arrival, before the body is read: what reads slowly would come later than it was sent.
  const over = account?.admitRequest(clock.monotonicMs()) ?? null;
  if (over) tally.count("violations");
  const body = await readBody(request);
  if (!account) return unknownKey(key);
  if (over) return refused(over);
  if (!body.ok) return body.response;

  const answer = completion(sim, body.chat, number);
  const overTokens = account.admitTokens(clock.monotonicMs(), answer.usage.total_tokens);
  if (overTokens) {
    tally.count("violations");
    return refused(overTokens);
  }
  if (settings.profile === "429" && number % 2 === 0)
    return refused({ kind: refusalKinds[(number / 2 - 1) % refusalKinds.length] ?? "requests", retryAfterMs: 1_000 });

  await delay(clock, latencyOf(sim), request.signal);
  if (settings.profile === "5xx") {
    const status = brokenStatuses[randomInt(random, brokenStatuses.length)] ?? 500;
    return failure(status, "internal_error", `llm-sim: the provider is out of order (${status})`);
  }
  return settings.profile === "flood" ? flood(request.signal) : Response.json(answer);
};

const floodBytes = 65_536;
const floodMax = 1_024;

/** Text that is no answer and does not end, until the reader goes away. */
const flood = (signal: AbortSignal): Response => {
  const piece = new TextEncoder().encode("llm-sim: and so on ".repeat(floodBytes / 19));
  let sent = 0;
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (signal.aborted || ++sent > floodMax) controller.close();
        else controller.enqueue(piece);
      },
    }),
    { headers: { "content-type": "application/json" } },
  );
};

const serveChat = async (sim: Sim, request: Request): Promise<Response> => {
  const { tally, clock } = sim;
  const key = keyOf(request);
  const number = tally.arrive(key);
  const requestId = request.headers.get("x-client-request-id") ?? "";
  const arrivedAtMs = clock.nowMs();
  const over = (outcome: SimCall["outcome"]) => sim.called({ requestId, arrivedAtMs, endedAtMs: clock.nowMs(), outcome });
  if (!tally.enter()) {
    tally.count("rejected");
    over("refused");
    return failure(503, "overloaded", `llm-sim: ${inFlightMax} requests are in flight already`, { "retry-after": "1" });
  }
  try {
    const response = await answerChat(sim, request, key, number);
    tally.count(response.ok ? "ok" : "rejected");
    over(request.signal.aborted ? "cut" : response.ok ? "answered" : "refused");
    return response;
  } catch (thrown) {
    over(request.signal.aborted ? "cut" : "refused");
    if (!request.signal.aborted) throw thrown;
    return failure(503, "cut_off", "llm-sim: cut off"); // nobody reads it
  } finally {
    tally.leave();
  }
};

const serveModels = ({ accountOf, clock }: Sim, request: Request): Response => {
  const key = keyOf(request);
  if (key === "" || accountOf(key) === null) return unknownKey(key);
  const created = Math.floor(clock.nowMs() / 1_000);
  return Response.json({
    object: "list",
    data: models.map((id) => ({ id, object: "model", created, owned_by: "llm-sim" })),
  });
};

/** Rejects when the port is taken. */
export const startLlmSim = async (options: LlmSimOptions = {}): Promise<LlmSim> => {
  const { clock = systemClock, random = seededRandom(options.seed ?? 1), port = 0, called = () => {} } = options;
  const { rps, rpm, tps, tpm, jitterMs } = options;
  const tally = createTally();
  const accountOf = accountBook(options.accounts, { rps, rpm, tps, tpm, jitterMs });
  const sim: Sim = { settings: options, clock, random, tally, accountOf, called };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    idleTimeout: 255, // the longest there is; Bun's own 10 s would cut slow answers off
    maxRequestBodySize: bodyMaxBytes,
    routes: {
      "/v1/chat/completions": { POST: (request) => serveChat(sim, request) },
      "/v1/models": { GET: (request) => serveModels(sim, request) },
      "/stats": { GET: () => Response.json(tally.stats()) },
    },
    fetch: ({ method, url }) =>
      failure(
        404,
        "not_found",
        `llm-sim: ${method} ${new URL(url).pathname} is not served; POST /v1/chat/completions, GET /v1/models and GET /stats are`,
      ),
    error: (thrown) => failure(500, "internal_error", `llm-sim: ${reasonOf(thrown)}`),
  });
  const stop = async () => {
    await server.stop(true); // aborts the signals of requests under way
  };
  const bound = server.port ?? port;
  return { url: `http://127.0.0.1:${bound}`, port: bound, stats: tally.stats, stop, [Symbol.asyncDispose]: stop };
};
