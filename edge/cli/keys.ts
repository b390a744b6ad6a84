/** `vedette keys verify`: one small real call with each key, so that a wrong one is found before it is needed. */

import { callChat } from "../../actors/scheduler/openai.ts";
import type { CallOutcome } from "../../actors/scheduler/outcome.ts";
import type { LoadedConfig } from "../../config/load.ts";
import { placeName } from "../../config/secrets.ts";
import { type Command, exit, type Session } from "./command.ts";
import { columns, plain } from "./text.ts";

/** A few tokens are enough to be told that the key is taken. */
const tokensMax = 10;
const timeoutMaxMs = 30_000;

type Group = LoadedConfig["config"]["llm"]["groups"][number];
type Key = Group["keys"][number];

export type KeyReport = {
  readonly group: string;
  readonly id: string;
  /** Where the key is kept; its value is never shown. */
  readonly place: string;
  /** `limited` is taken and told to wait; `off` is not enabled and not tried. */
  readonly state: "usable" | "limited" | "failed" | "off";
  readonly model: string;
  readonly ms: number | null;
  readonly detail: string;
};

/** What a provider's answer says about the key. */
const judge = (outcome: CallOutcome): Pick<KeyReport, "state" | "detail"> => {
  switch (outcome.action) {
    case "answer":
      return { state: "usable", detail: "answered" };
    case "bad-answer":
      // Some models spend the few tokens on thinking, and say nothing.
      return { state: "usable", detail: outcome.reason };
    case "retry-after":
      return {
        state: outcome.cause === "quota" || outcome.cause === "unavailable" ? "failed" : "limited",
        detail: outcome.reason,
      };
    default:
      return { state: "failed", detail: outcome.reason };
  }
};

const verifyKey = async (group: Group, key: Key, loaded: LoadedConfig, { clock, signal }: Session): Promise<KeyReport> => {
  const { baseUrl, model } = group;
  const about = { group: group.name, id: key.id, place: placeName(key), model };
  if (!key.enabled) return { ...about, state: "off", ms: null, detail: "not enabled" };
  const apiKey = loaded.resolveSecret(key);
  if (apiKey === null) return { ...about, state: "failed", ms: null, detail: `${placeName(key)} holds nothing` };
  const startedMs = clock.monotonicMs();
  const timeoutMs = Math.min(timeoutMaxMs, loaded.config.llm.timeoutMs);
  const outcome = await callChat(
    { fetch: (url, init) => fetch(url, init), clock },
    {
      ...{ baseUrl, apiKey, model, tokensMax, timeoutMs },
      system: "Answer in one word.",
      user: "Say ok.",
      image: new Uint8Array(),
      format: "text",
    },
    signal,
  );
  return { ...about, ...judge(outcome), ms: Math.round(clock.monotonicMs() - startedMs) };
};

/** One call at a time within a group: its keys may share one account's rate. */
const verifyGroup = async (group: Group, loaded: LoadedConfig, session: Session): Promise<KeyReport[]> => {
  const reports: KeyReport[] = [];
  for (const key of group.keys) reports.push(await verifyKey(group, key, loaded, session));
  return reports;
};

const rowOf = ({ group, id, place, state, model, ms, detail }: KeyReport): string[] => [
  state,
  `${group}/${id}`,
  place,
  model,
  ms === null ? "-" : `${ms} ms`,
  plain(detail),
];

export const keys: Command = {
  name: "keys",
  does: "Tries the keys of the model providers",
  actions: [
    {
      name: "verify",
      does: "makes one small call with each enabled key; exit code 1 when one of them fails",
      options: [{ name: "json", does: "the report as JSON" }],
      async run(given, session) {
        const loaded = session.config();
        const { groups, minKeys } = loaded.config.llm;
        const reports = (await Promise.all(groups.map((group) => verifyGroup(group, loaded, session)))).flat();
        const total = reports.filter(({ state }) => state !== "off").length;
        const usable = reports.filter(({ state }) => state === "usable" || state === "limited").length;
        if (given.isSet("json")) session.out(JSON.stringify({ usable, total, minKeys, keys: reports }));
        else {
          if (reports.length > 0)
            for (const line of columns([["STATE", "KEY", "KEPT IN", "MODEL", "TOOK", "DETAIL"], ...reports.map(rowOf)]))
              session.out(line);
          session.out(groups.length === 0 ? "no llm.groups are configured: the rules assess" : `${usable}/${total} keys usable`);
        }
        if (groups.length > 0 && usable < minKeys)
          session.note(
            `warning: ${usable} usable ${usable === 1 ? "key" : "keys"}, fewer than llm.minKeys ${minKeys}: add keys, or lower llm.minKeys`,
          );
        return usable === total ? exit.ok : exit.failed;
      },
    },
  ],
  notes: ["A key's value is never shown. Each call asks for a few tokens; providers bill them."],
};
