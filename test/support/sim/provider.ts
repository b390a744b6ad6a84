/** The real scheduler over a simulated provider that throttles, hangs, breaks and garbles as the fault model says. */

import type { Fetch } from "../../../actors/scheduler/openai.ts";
import { scheduler } from "../../../actors/scheduler.ts";
import { topics } from "../../../protocols/topics.ts";
import { type Clock, delay } from "../../../runtime/clock.ts";
import type { Metrics } from "../../../runtime/metrics.ts";
import { type Random, randomInt } from "../../../runtime/random.ts";
import type { Store } from "../../../runtime/store.ts";
import { type ChildSpec, stageTaking } from "../../../runtime/tree.ts";
import { accountsOf, aQuotaGroup, schedulerSettings } from "../accounts.ts";
import type { Faults } from "./faults.ts";

export type ProviderPorts = {
  /** Dies with the process. */
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly chance: (probability: number) => boolean;
  /** Hears of each call as it is sent. */
  readonly sent: (group: QuotaName, atMs: number) => void;
  readonly violated: (says: string) => void;
  /** Tasks of which some process was told that their answer is stored; outlives processes. */
  readonly answered: Set<string>;
};

/** The task of a stored answer; null for other facts. */
const taskOf = (key: string): string | null => (key.startsWith("answer:") ? key.slice("answer:".length) : null);

/**
 * Judges that no call is made for a task whose answer is stored. It need not be known where the store did not say so: it failed,
 * it has not answered yet, or it was asked before the answer was there.
 */
const watchAnswers = ({ store, violated, answered }: Pick<ProviderPorts, "store" | "violated" | "answered">) => {
  const excused = new Set<string>();
  const watched: Store = {
    ...store,
    async get(key) {
      const taskId = taskOf(key);
      if (taskId === null) return store.get(key);
      excused.add(taskId);
      const wasThere = answered.has(taskId);
      const bytes = await store.get(key);
      if (wasThere) excused.delete(taskId);
      return bytes;
    },
    async put(facts) {
      await store.put(facts);
      for (const { key } of facts) {
        const taskId = taskOf(key);
        if (taskId !== null) answered.add(taskId);
      }
    },
  };
  const called = (taskId: string) => {
    if (answered.has(taskId) && !excused.has(taskId)) violated(`${taskId} was paid for again, though its answer is stored`);
  };
  return { watched, called };
};

/** Each account has its own limits; the second is the smaller. */
export const quotas = { main: { rps: 3, rpm: 100 }, spare: { rps: 1, rpm: 30 } } as const;
export type QuotaName = keyof typeof quotas;

const throttles: readonly (() => Response)[] = [
  () => Response.json({ error: { message: "Requests rate limit exceeded" } }, { status: 429, headers: { "retry-after": "1" } }),
  () => Response.json({ error: { message: "Request rate increased too quickly" } }, { status: 429 }),
];
const garbles: readonly (() => Response)[] = [
  () => new Response("<html>"),
  () => Response.json({ choices: [{ message: { content: "I cannot say." } }] }),
];
const answer = () => Response.json({ choices: [{ message: { content: '{"riskLevel":"low","confidence":0.5}' } }] });

const provider =
  (faults: Faults, { clock, random, chance, sent }: ProviderPorts, called: (taskId: string) => void): Fetch =>
  async (url, { signal, headers }) => {
    called(new Headers(headers).get("x-client-request-id") ?? "");
    sent(new URL(url).hostname === "main" ? "main" : "spare", clock.monotonicMs());
    const hangs = chance(faults.llmTimeout);
    await delay(clock, hangs ? 60_000 : 200 + randomInt(random, 3_000), signal ?? undefined);
    if (chance(faults.llmThrottle)) return throttles[randomInt(random, throttles.length)]?.() ?? answer();
    if (chance(faults.llmError)) return new Response("", { status: 500 });
    return chance(faults.llmGarbage) ? (garbles[randomInt(random, garbles.length)]?.() ?? answer()) : answer();
  };

export const modelScheduler = (faults: Faults, deadlineMs: number, ports: ProviderPorts): readonly ChildSpec[] => {
  const { clock, metrics } = ports;
  const { watched, called } = watchAnswers(ports);
  const groups = Object.entries(quotas).map(([name, limits]) =>
    aQuotaGroup(name, {
      baseUrl: `http://${name}/v1`,
      model: "sim-vl",
      limits,
      keys: ["k1", "k2"].map((id) => ({ id: `${name}-${id}`, secret: `sk-${name}-${id}`, priority: 1 })),
    }),
  );
  const args = {
    ...schedulerSettings,
    accounts: accountsOf(groups, clock, {
      cooldown: { adaptive: true, minMs: 1_000, maxMs: 5_000, fixedMs: 2_000 },
      headroom: 0.02,
      maxConcurrent: 5,
    }),
    maxConcurrent: 5, // few, so that tasks wait for one another
    timeoutMs: 5_000,
    deadlineMs,
    fetch: provider(faults, ports, called),
    clock,
    store: watched,
    metrics,
  };
  return [stageTaking(topics.tasks, scheduler, { args })];
};
