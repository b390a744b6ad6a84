/**
 * Guarantee 1 with the real scheduler in its place: crashes of the process and of actors, an absent broker, a failing store,
 * and a provider that throttles, breaks, garbles and hangs. `SEED=17 bun test test/sim/scheduler.test.ts` replays one run.
 */
import { expect, test } from "bun:test";
import type { Fetch } from "../../actors/scheduler/openai.ts";
import { parsePrompt } from "../../actors/scheduler/prompt.ts";
import { scheduler } from "../../actors/scheduler.ts";
import { topics } from "../../protocols/topics.ts";
import { delay } from "../../runtime/clock.ts";
import { randomInt } from "../../runtime/random.ts";
import { stageTaking } from "../../runtime/tree.ts";
import { seedsOf } from "../support/seeds.ts";
import { allFaults, type SchedulerWorld, simulate } from "../support/sim-pipeline.ts";

const prompt = parsePrompt("version: t1\n[system]\ns\n[user]\nJSON {{ids}}\n[with-picture]\np\n[without-picture]\nq\n", "t1");

/** Troubles of a provider, each as likely as the others. */
const troubles: readonly (() => Response)[] = [
  () => new Response("", { status: 500 }),
  () => Response.json({ error: { message: "Requests rate limit exceeded" } }, { status: 429, headers: { "retry-after": "1" } }),
  () => Response.json({ error: { message: "Request rate increased too quickly" } }, { status: 429 }),
  () => new Response("<html>"),
  () => Response.json({ choices: [{ message: { content: "I cannot say." } }] }),
];

const provider =
  ({ clock, random, mayFail }: SchedulerWorld): Fetch =>
  async (_url, { signal }) => {
    const hangs = mayFail();
    await delay(clock, hangs ? 60_000 : 200 + randomInt(random, 3_000), signal ?? undefined);
    const trouble = mayFail() || mayFail() ? troubles[randomInt(random, troubles.length)] : undefined;
    return trouble ? trouble() : Response.json({ choices: [{ message: { content: '{"riskLevel":"low","confidence":0.5}' } }] });
  };

const realScheduler = (world: SchedulerWorld) =>
  stageTaking(topics.tasks, scheduler, {
    args: {
      groups: [
        {
          name: "main",
          baseUrl: "http://llm.test/v1",
          model: "sim-vl",
          limits: { rps: 10 },
          maxInFlight: null,
          keys: ["k1", "k2"].map((id) => ({ id, secret: `sk-${id}`, priority: 1 })),
        },
      ],
      limits: {},
      selection: "least_loaded",
      cooldown: { adaptive: true, minMs: 1_000, maxMs: 5_000, fixedMs: 2_000 },
      maxConcurrent: 5, // few, so that tasks wait for one another
      timeoutMs: 5_000,
      retriesMax: 2,
      language: "en",
      prompt,
      outageMs: 60_000,
      fetch: provider(world),
      ...world,
    },
  });

test("every group of every acknowledged record ends in one result shown or one counted reason, and all is settled", async () => {
  const failures: string[] = [];
  let crashes = 0;
  for (const seed of seedsOf(100)) {
    const outcome = await simulate(seed, allFaults, undefined, realScheduler);
    crashes += outcome.crashes;
    if (outcome.violations.length > 0) failures.push(`SEED=${seed}: ${outcome.violations.slice(0, 3).join("; ")}`);
  }
  expect(failures).toEqual([]);
  expect(crashes).toBeGreaterThan(0);
}, 60_000);

test("the same seed gives the same run", async () => {
  const [one, again] = [
    await simulate(7, allFaults, undefined, realScheduler),
    await simulate(7, allFaults, undefined, realScheduler),
  ];
  expect(again).toEqual(one);
});
