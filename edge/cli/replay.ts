/**
 * `vedette replay`: recorded tasks are assessed once more, by another prompt, another model or this version's rules, and
 * compared with the verdicts that were given. Nothing is published and nothing is kept.
 */
import { readFileSync } from "node:fs";
import { createAccounts } from "../../actors/scheduler/accounts.ts";
import { createModelAssessor } from "../../actors/scheduler/model.ts";
import { parsePrompt } from "../../actors/scheduler/prompt.ts";
import { resultByRules } from "../../actors/scheduler/result.ts";
import type { LoadedConfig } from "../../config/load.ts";
import english from "../../config/prompts/risk.en.txt" with { type: "text" };
import chinese from "../../config/prompts/risk.zh.txt" with { type: "text" };
import type { AssessmentTask } from "../../protocols/task.ts";
import { topics } from "../../protocols/topics.ts";
import type { AssessmentResult } from "../../protocols/verdict.ts";
import type { BusRecord } from "../../runtime/bus.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { silentLog } from "../../runtime/log.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import { createMemoryStore } from "../../runtime/store-memory.ts";
import { accountSettingsOf } from "../keys.ts";
import { type Command, exit, type Given, type Session, usageFault } from "./command.ts";
import { readRecord } from "./record-text.ts";
import { openRecords, type Records, recordsBetween } from "./records.ts";
import { plain } from "./text.ts";
import { timeForms, timeOf } from "./time.ts";

const limitDefault = 200;
const limitMax = 10_000;
/** Calls wait for room under the quota; none is given up while the others go on. */
const deadlineMs = 600_000;

type Recorded = { readonly task: AssessmentTask; readonly before: AssessmentResult | null };

const messagesOf = <Message>(records: readonly BusRecord[], type: string): Message[] =>
  records.flatMap((record) => {
    const read = record.type === type ? readRecord(record) : null;
    return read && "message" in read ? [read.message as Message] : []; // the codec reads messages of this type only so
  });

const recordedTasks = async (records: Records, fromMs: number, toMs: number, limit: number): Promise<Recorded[]> => {
  const [asked, answered] = [
    await recordsBetween(records, topics.tasks.name, fromMs, toMs),
    await recordsBetween(records, topics.results.name, fromMs, Number.MAX_SAFE_INTEGER),
  ];
  const tasks = messagesOf<AssessmentTask>(asked, "assessment.task").slice(0, limit);
  const byTask = new Map(messagesOf<AssessmentResult>(answered, "assessment.result").map((result) => [result.taskId, result]));
  return tasks.map((task) => ({ task, before: byTask.get(task.taskId) ?? null }));
};

type Assessor = {
  readonly name: string;
  readonly assess: (task: AssessmentTask) => Promise<AssessmentResult>;
  readonly tokens: () => { readonly prompt: number; readonly completion: number };
  readonly close: () => void;
};

const promptOf = (loaded: LoadedConfig, file: string | undefined) => {
  const { language } = loaded.config.llm;
  if (file === undefined) return parsePrompt(language === "zh" ? chinese : english, `config/prompts/risk.${language}.txt`);
  try {
    return parsePrompt(readFileSync(file, "utf8"), file);
  } catch (thrown) {
    throw thrown instanceof Fault ? thrown : usageFault(`--prompt: ${reasonOf(thrown)}`);
  }
};

const createAssessor = (loaded: LoadedConfig, given: Given, { clock, random, signal }: Session): Assessor => {
  const { llm } = loaded.config;
  const prompt = promptOf(loaded, given.text("prompt"));
  const model = given.text("model");
  const settings = accountSettingsOf(loaded);
  const groups = settings.groups.map((group) => (model === undefined ? group : { ...group, model }));
  const accounts = createAccounts({ ...settings, groups, shadow: null }, clock);
  const { language } = llm;
  if (!accounts.hasKeys()) {
    if (model !== undefined || given.text("prompt") !== undefined)
      throw new Fault("unavailable", "--prompt and --model need a model: no llm.groups with a key that can be read");
    const never = Number.NEGATIVE_INFINITY;
    return {
      name: "rules",
      assess: async (task) => resultByRules(task, language, never),
      tokens: () => ({ prompt: 0, completion: 0 }),
      close() {},
    };
  }
  const assessor = createModelAssessor(
    {
      prompt,
      language,
      maxConcurrent: llm.maxConcurrentTasks,
      retriesMax: llm.retriesMax,
      timeoutMs: llm.timeoutMs,
      hedgeShare: 0,
    },
    {
      ...{ accounts, clock, random, fetch: (url, init) => fetch(url, init) },
      store: createMemoryStore({ clock, defer: queueMicrotask }),
      metrics: createMetrics(),
      log: silentLog,
    },
  );
  return {
    name: `${model ?? accounts.defaultModel()} with prompt ${prompt.version}`,
    assess: (task) => assessor.assess({ ...task, deadlineAt: clock.nowMs() + deadlineMs }, signal),
    tokens() {
      const { total } = accounts.view().book;
      return { prompt: total.promptTokens, completion: total.completionTokens };
    },
    close: assessor.close,
  };
};

type Compared = Recorded & { readonly after: AssessmentResult; readonly change: "same" | "changed" | "unanswered" | "first" };

const gist = (result: AssessmentResult | null): string => {
  const verdict = result?.results[0];
  if (!verdict) return "no result";
  if (verdict.status !== "ok") return verdict.status;
  const confidence = verdict.confidence === null ? "" : ` (${verdict.confidence.toFixed(2)})`;
  return `${verdict.verdict ?? "none"} ${verdict.riskLevel ?? "none"}${confidence}`;
};

const changeOf = (before: AssessmentResult | null, after: AssessmentResult): Compared["change"] => {
  const [was, is] = [before?.results[0], after.results[0]];
  if (is?.status !== "ok") return "unanswered";
  if (!was) return "first";
  return was.status === is.status && was.verdict === is.verdict && was.riskLevel === is.riskLevel ? "same" : "changed";
};

const lineOf = ({ task, before, after, change }: Compared): string => {
  const about = `${task.taskId} camera ${task.cameraId} group ${task.groupIndex}`;
  const why = change === "unanswered" && after.error !== undefined ? ` (${after.error})` : "";
  const is = `${gist(after)}${why}`;
  return plain(`${change.padEnd(10)} ${about}: ${change === "same" || change === "first" ? is : `${gist(before)} -> ${is}`}`);
};

const median = (values: readonly number[]): number | null => {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
};

const latencyText = (results: readonly (AssessmentResult | null)[]): string => {
  const found = median(results.flatMap((result) => result?.metadata.llmLatency ?? []));
  return found === null ? "none" : `${found.toFixed(2)} s`;
};

const summaryOf = (compared: readonly Compared[], { name, tokens }: Assessor): string => {
  const count = (change: Compared["change"]) => compared.filter((each) => each.change === change).length;
  const { prompt, completion } = tokens();
  const latency = `median latency ${latencyText(compared.map(({ after }) => after))}, recorded ${latencyText(compared.map(({ before }) => before))}`;
  const spent = prompt + completion > 0 ? `; ${prompt} + ${completion} tokens; ${latency}` : "";
  return `${compared.length} tasks by ${name}: ${count("same")} same, ${count("changed")} changed, ${count("first")} without a recorded result, ${count("unanswered")} not answered${spent}`;
};

export const replay: Command = {
  name: "replay",
  does: "Assesses recorded tasks once more, by another prompt or model, and compares the verdicts",
  actions: [
    {
      name: "",
      does: "",
      options: [
        { name: "from", value: "T", does: `tasks recorded from then on: ${timeForms}`, isNeeded: true },
        { name: "to", value: "T", does: "tasks recorded until then", isNeeded: true },
        { name: "prompt", value: "FILE", does: "a prompt in the form of config/prompts/risk.en.txt (default: the one in use)" },
        { name: "model", value: "M", does: "another model of the configured groups (default: theirs)" },
        { name: "diff", does: "show only what is not the same" },
        { name: "limit", value: "N", does: `so many tasks at most, oldest first (default: ${limitDefault})` },
        { name: "json", does: "one JSON object a task" },
      ],
      async run(given, session) {
        const loaded = session.config();
        const nowMs = session.clock.nowMs();
        const fromMs = timeOf("from", given.need("from"), nowMs);
        const toMs = timeOf("to", given.need("to"), nowMs);
        if (fromMs > toMs) throw usageFault("--from is later than --to");
        const assessor = createAssessor(loaded, given, session);
        const limit = given.number("limit", { from: 1, to: limitMax }) ?? limitDefault;
        await using records = await openRecords(loaded, session);
        const recorded = await recordedTasks(records, fromMs, toMs, limit);
        if (recorded.length === 0)
          throw new Fault("not_found", "no tasks are recorded in that time; the log keeps them for two hours");
        const compared = await Promise.all(
          recorded.map(async ({ task, before }): Promise<Compared> => {
            const after = await assessor.assess(task);
            return { task, before, after, change: changeOf(before, after) };
          }),
        ).finally(assessor.close);
        for (const each of compared) {
          if (given.isSet("diff") && each.change === "same") continue;
          const { task, before, after, change } = each;
          if (!given.isSet("json")) session.out(lineOf(each));
          else
            session.out(
              JSON.stringify({
                taskId: task.taskId,
                cameraId: task.cameraId,
                change,
                before: before?.results[0] ?? null,
                after: after.results[0] ?? null,
              }),
            );
        }
        session[given.isSet("json") ? "note" : "out"](summaryOf(compared, assessor));
        return compared.some(({ change }) => change === "unanswered") ? exit.failed : exit.ok;
      },
    },
  ],
  notes: [
    "Calls keep to the quotas of the configuration and are billed like any other; nothing is published or kept. Without keys",
    "the rules of this version assess. Exit code 1 when a task was not answered.",
  ],
};
