/** The options of `bun run llm-sim`, read from its command line. */
import { parseArgs } from "node:util";
import type { RiskLevel } from "../../protocols/ids.ts";
import { riskLevels } from "./answer.ts";
import type { Accounts } from "./limits.ts";

export const profiles = ["ok", "429", "5xx", "garbage", "flood", "slow"] as const;
export type Profile = (typeof profiles)[number];

export type SimSettings = {
  /** 0 takes a free one. */
  readonly port?: number | undefined;
  /** From and to; each answer takes a time drawn between them. */
  readonly latencyMs?: readonly [number, number] | undefined;
  readonly profile?: Profile | undefined;
  readonly rps?: number | undefined;
  readonly rpm?: number | undefined;
  readonly tps?: number | undefined;
  readonly tpm?: number | undefined;
  /** By which calls may arrive closer together than they were sent. */
  readonly jitterMs?: number | undefined;
  /** Account names with their keys; any other key is refused. Without it each key is an account of its own. */
  readonly accounts?: Accounts | undefined;
  readonly level?: RiskLevel | undefined;
  readonly seed?: number | undefined;
};

export const usage = `bun run llm-sim [--port P] [--latency 200ms] [--profile ok] [--rps N] [--rpm N] [--tps N] [--tpm N]
                [--jitter 50ms] [--accounts a=k1,k2]... [--level high] [--seed S]

An OpenAI-compatible chat endpoint on 127.0.0.1 that answers the scheduler's questions without a model:
POST /v1/chat/completions, GET /v1/models, and GET /stats for what it counted. Its texts start with "llm-sim".

  --port P            0, the default, takes a free one; it is printed
  --latency TIME      200ms (the default), 1s, or a range such as 1-3s
  --profile NAME      ok       every question is answered (the default)
                      429      every second request is refused, with the three texts in turn
                      5xx      every request fails with 500, 502, 503 or 504
                      garbage  prose, cut JSON, fenced JSON and wrong types
                      flood    garbage that never ends
                      slow     every answer takes 29 s
  --rps N --rpm N     requests an account may send in any second, in any minute
  --tps N --tpm N     tokens of an account in any second, in any minute
  --jitter TIME       calls may arrive so much closer together than they were sent (default 50ms)
  --accounts A=K1,K2  the keys of an account; more by repeating or by ";". Other keys get 401.
                      Without it any key is served, each as an account of its own
  --level LEVEL       none, low, medium or high for every answer; else the level by rules in the question
  --seed S            what is drawn by chance is drawn again with the same seed (default 1)
`;

/** Longer waits outlast what the server holds a connection open for. */
const latencyMaxMs = 240_000;
const accountsMax = 1_000;

type Read<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly says: string };
const good = <Value>(value: Value): Read<Value> => ({ ok: true, value });
const bad = (says: string): Read<never> => ({ ok: false, says });

/** `200ms`, `1s`, `1-3s`, `200ms-1s`: the unit of the end is that of a start without one. */
export const parseLatency = (text: string): Read<readonly [number, number]> => {
  const match = /^(?:(\d+(?:\.\d+)?)(ms|s)?-)?(\d+(?:\.\d+)?)(ms|s)$/.exec(text);
  if (!match) return bad(`--latency takes a time such as 200ms, 1s or 1-3s, not ${JSON.stringify(text)}`);
  const [, from, fromUnit, to = "", unit = "ms"] = match;
  const inMs = (value: string, of: string) => Number(value) * (of === "s" ? 1_000 : 1);
  const toMs = inMs(to, unit);
  const fromMs = from === undefined ? toMs : inMs(from, fromUnit ?? unit);
  if (fromMs > toMs) return bad(`--latency ${text} ends before it starts`);
  return toMs > latencyMaxMs ? bad(`--latency takes at most ${latencyMaxMs / 1_000}s, not ${text}`) : good([fromMs, toMs]);
};

const jitterMaxMs = 900;

const parseJitter = (text: string): Read<number> => {
  const ms = Number(/^(\d{1,4})ms$/.exec(text)?.[1] ?? Number.NaN);
  return ms <= jitterMaxMs
    ? good(ms)
    : bad(`--jitter takes a time up to ${jitterMaxMs}ms such as 50ms, not ${JSON.stringify(text)}`);
};

const accountsOf = (values: readonly string[]): Read<Accounts> => {
  const accounts = new Map<string, string[]>();
  const taken = new Set<string>();
  for (const item of values.flatMap((value) => value.split(";"))) {
    const match = /^([\w.-]{1,64})=(.+)$/.exec(item.trim());
    const keys = match?.[2]?.split(",").map((key) => key.trim()) ?? [];
    const name = match?.[1];
    // The text may hold a key: it is not repeated.
    if (name === undefined || keys.includes("")) return bad("--accounts takes a name and its keys, such as a=k1,k2");
    if (accounts.has(name)) return bad(`--accounts names account ${name} twice`);
    if (keys.some((key) => taken.has(key)) || new Set(keys).size < keys.length)
      return bad(`--accounts gives account ${name} a key that was given before; a key belongs to one account`);
    for (const key of keys) taken.add(key);
    accounts.set(name, keys);
  }
  return taken.size > accountsMax ? bad(`--accounts takes at most ${accountsMax} keys`) : good(Object.fromEntries(accounts));
};

const integer = (option: string, text: string, least: number, most: number): Read<number> =>
  /^\d{1,10}$/.test(text) && Number(text) >= least && Number(text) <= most
    ? good(Number(text))
    : bad(`--${option} takes a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);

const oneOf = <Name extends string>(option: string, text: string, names: readonly Name[]): Read<Name> => {
  const found = names.find((name) => name === text);
  return found === undefined ? bad(`--${option} takes ${names.join(", ")}, not ${JSON.stringify(text)}`) : good(found);
};

const flags = {
  port: { type: "string" },
  latency: { type: "string" },
  profile: { type: "string" },
  rps: { type: "string" },
  rpm: { type: "string" },
  tps: { type: "string" },
  jitter: { type: "string" },
  tpm: { type: "string" },
  accounts: { type: "string", multiple: true },
  level: { type: "string" },
  seed: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

export type CommandLine =
  | { readonly kind: "run"; readonly settings: SimSettings }
  | { readonly kind: "help" }
  | { readonly kind: "refused"; readonly says: string };

const read = (args: readonly string[]) => parseArgs({ args: [...args], options: flags, allowPositionals: false }).values;

export const parseCommandLine = (args: readonly string[]): CommandLine => {
  let values: ReturnType<typeof read>;
  try {
    values = read(args);
  } catch (thrown) {
    const says = thrown instanceof Error ? thrown.message : String(thrown);
    return { kind: "refused", says: says.split("\n", 1)[0] ?? says };
  }
  if (values.help) return { kind: "help" };
  let refused: string | null = null;
  const take = <Value>(text: string | undefined, parse: (text: string) => Read<Value>): Value | undefined => {
    const result = text === undefined ? undefined : parse(text);
    if (result?.ok === false) refused ??= result.says;
    return result?.ok ? result.value : undefined;
  };
  const { accounts } = values;
  const settings: SimSettings = {
    port: take(values.port, (text) => integer("port", text, 0, 65_535)),
    latencyMs: take(values.latency, parseLatency),
    profile: take(values.profile, (text) => oneOf("profile", text, profiles)),
    rps: take(values.rps, (text) => integer("rps", text, 1, 1_000_000)),
    rpm: take(values.rpm, (text) => integer("rpm", text, 1, 1_000_000)),
    tps: take(values.tps, (text) => integer("tps", text, 1, 1_000_000_000)),
    jitterMs: take(values.jitter, parseJitter),
    tpm: take(values.tpm, (text) => integer("tpm", text, 1, 1_000_000_000)),
    accounts: take(accounts?.join(";"), () => accountsOf(accounts ?? [])),
    level: take(values.level, (text) => oneOf("level", text, riskLevels)),
    seed: take(values.seed, (text) => integer("seed", text, 0, 4_294_967_295)),
  };
  return refused === null ? { kind: "run", settings } : { kind: "refused", says: refused };
};
