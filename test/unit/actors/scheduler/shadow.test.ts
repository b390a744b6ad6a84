import { describe, expect, test } from "bun:test";
import type { CallOutcome } from "../../../../actors/scheduler/outcome.ts";
import { createQuota } from "../../../../actors/scheduler/quota.ts";
import { resultOf } from "../../../../actors/scheduler/result.ts";
import { createShadow } from "../../../../actors/scheduler/shadow.ts";
import type { AssessmentTask } from "../../../../protocols/task.ts";
import { createMetrics } from "../../../../runtime/metrics.ts";
import { seededRandom } from "../../../../runtime/random.ts";
import { aQuotaGroup, quotaSettings } from "../../../support/accounts.ts";
import { aTask } from "../../../support/task.ts";
import { settlePromises, virtualClock } from "../../../support/virtual-clock.ts";

const said = (text: string): CallOutcome => ({ action: "answer", text, usage: { promptTokens: 10, completionTokens: 5 } });
const high = '{"riskLevel":"high","verdict":"confirmed","riskTypes":["collision"],"description":"crash"}';

const aShadow = (answer: () => Promise<CallOutcome>, share = 1, rps = 100) => {
  const clock = virtualClock();
  const metrics = createMetrics();
  const calls: string[] = [];
  const shadow = createShadow({
    quota: createQuota(quotaSettings([aQuotaGroup("aside", { limits: { rps } })])),
    share,
    clock,
    random: seededRandom(3),
    metrics,
    tokensOf: () => 1_000,
    call: (seat) => {
      calls.push(seat.group.name);
      return answer();
    },
    called() {},
    changed() {},
  });
  const published = (task: AssessmentTask, text = high) =>
    resultOf(task, { end: "answered", text, reason: "", model: "m", keyId: "k", calls: 1, durationMs: 1 }, "en", "m");
  const outcomes = async () => {
    await settlePromises();
    const { values } = await metrics.llmShadow.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.outcome, value]));
  };
  return { shadow, calls, published, outcomes };
};

describe("the model asked on the side", () => {
  test.each([
    ["same", high],
    ["other-level", '{"riskLevel":"low","verdict":"uncertain","description":"dense"}'],
    ["other-verdict", '{"riskLevel":"high","verdict":"uncertain","riskTypes":["collision"],"description":"crash"}'],
    ["unreadable", "I cannot say."],
  ])("is counted as %s", async (outcome, text) => {
    const { shadow, published, outcomes } = aShadow(async () => said(text));
    const task = aTask();
    shadow.compare(task, published(task));
    expect(await outcomes()).toEqual({ [outcome]: 1 });
  });
  test("that reads where the published answer could not be read is counted so", async () => {
    const { shadow, published, outcomes } = aShadow(async () => said(high));
    const task = aTask();
    shadow.compare(task, published(task, "nothing of use"));
    expect(await outcomes()).toEqual({ "only-shadow": 1 });
  });
  test("is asked about its share alone, and only within its limits", async () => {
    const tenth = aShadow(async () => said(high), 0.1);
    const bounded = aShadow(async () => said(high), 1, 2);
    const task = aTask();
    for (let index = 0; index < 200; index++) {
      tenth.shadow.compare(task, tenth.published(task));
      if (index % 10 === 0) await settlePromises();
    }
    for (let index = 0; index < 5; index++) bounded.shadow.compare(task, bounded.published(task));
    expect([tenth.calls.length > 8, tenth.calls.length < 35]).toEqual([true, true]);
    expect(await bounded.outcomes()).toEqual({ same: 2, "no-quota": 3 });
  });
  test("that fails or breaks harms nothing", async () => {
    const failing = aShadow(async () => ({ action: "give-up", reason: "HTTP 400" }));
    const broken = aShadow(() => {
      throw new Error("broken");
    });
    const task = aTask();
    for (const { shadow, published } of [failing, broken]) shadow.compare(task, published(task));
    expect([await failing.outcomes(), await broken.outcomes()]).toEqual([{ failed: 1 }, { failed: 1 }]);
  });
  test("holds a bounded number of pictures", () => {
    const { shadow, calls, published } = aShadow(() => new Promise(() => {}));
    const task = aTask();
    for (let index = 0; index < 100; index++) shadow.compare(task, published(task));
    expect(calls).toHaveLength(20);
  });
});
