import { expect, test } from "bun:test";
import { type Capacity, createDemand } from "../../../../actors/scheduler/forecast.ts";

const capacity = (overrides: Partial<Capacity> = {}): Capacity => ({
  groups: [{ rpm: 600 }],
  overall: {},
  maxConcurrent: 1_000,
  headroom: 0,
  dayCost: undefined,
  ...overrides,
});

/** Ten cameras, two tasks a minute each, for ten minutes; a call of 1,000 tokens takes 2 s and costs a tenth of a cent. */
const usual = () => {
  const demand = createDemand();
  for (let second = 0; second < 600; second += 3) {
    demand.task((second / 3) % 10, second * 1_000);
    demand.call(1_000, 0.001, 2_000, second * 1_000);
  }
  return (overrides: Partial<Capacity> = {}) => demand.forecast(capacity(overrides), 600_000);
};

test.each([
  ["requests a minute", {}, 600],
  ["requests a second", { groups: [{ rps: 5 }] }, 300],
  ["tokens a minute", { groups: [{ rpm: 600, tpm: 200_000 }] }, 200],
  ["tokens a second", { groups: [{ tps: 2_000 }] }, 120],
  ["several groups together", { groups: [{ rpm: 600 }, { rpm: 100 }] }, 700],
  ["the limit over all", { overall: { rpm: 50 } }, 50],
  ["places for calls", { maxConcurrent: 10 }, 300],
  ["headroom", { headroom: 0.5 }, 300],
  ["no limit but places", { groups: [{}] }, 30_000],
] as const)("calls a minute are bounded by %s", (_what, overrides, expected) => {
  expect(usual()(overrides).callsPerMinute).toBe(expected);
});

test("cameras by quota and by budget follow from what one camera takes", () => {
  const { cameras, tasksPerCamera, camerasByQuota, camerasByBudget, costPerDay } = usual()({ dayCost: 100 });
  expect([cameras, tasksPerCamera, camerasByQuota]).toEqual([10, 2, 300]);
  expect(costPerDay).toBeCloseTo(28.8, 6);
  expect(camerasByBudget).toBe(34);
});

test("without tasks nothing is foretold", () => {
  expect(createDemand().forecast(capacity({ dayCost: 1 }), 0)).toMatchObject({
    cameras: 0,
    camerasByQuota: null,
    camerasByBudget: null,
  });
});

test("what is older than ten minutes counts no more", () => {
  const demand = createDemand();
  demand.task(1, 0);
  demand.task(2, 660_000);
  expect(demand.forecast(capacity(), 661_000).cameras).toBe(1);
});
