/** The scheduler's settings: quota groups with the keys that this process could read, and the prompt. */

import { parsePrompt } from "../actors/scheduler/prompt.ts";
import type { SchedulerArgs } from "../actors/scheduler.ts";
import type { LoadedConfig } from "../config/load.ts";
import english from "../config/prompts/risk.en.txt" with { type: "text" };
import chinese from "../config/prompts/risk.zh.txt" with { type: "text" };

type Ports = Pick<SchedulerArgs, "clock" | "store" | "metrics" | "outageMs">;

export const schedulerArgs = ({ config, resolveSecret }: LoadedConfig, ports: Ports): SchedulerArgs => {
  const { llm, tasks } = config;
  return {
    ...ports,
    groups: llm.groups.map(({ name, baseUrl, model, limits, maxInFlight, keys }) => ({
      name,
      baseUrl,
      model,
      limits,
      maxInFlight: maxInFlight ?? null,
      keys: keys.flatMap(({ id, priority, enabled, ...place }) => {
        const secret = enabled ? resolveSecret(place) : null;
        return secret === null ? [] : [{ id, priority, secret }];
      }),
    })),
    limits: llm.limits,
    selection: llm.selection,
    cooldown: llm.cooldown,
    maxConcurrent: llm.maxConcurrentTasks,
    timeoutMs: llm.timeoutMs,
    retriesMax: llm.retriesMax,
    language: llm.language,
    prompt: parsePrompt(llm.language === "zh" ? chinese : english, `config/prompts/risk.${llm.language}.txt`),
    deadlineMs: tasks.deadlineMs,
    fetch,
  };
};
