import { expect, test } from "bun:test";
import { parseChaos } from "../../../../bench/chaos/options.ts";
import { countFaults, planOf } from "../../../../bench/chaos/plan.ts";

test("the plan has what was asked for, in rounds, and is the same for the same seed", () => {
  const rounds = planOf(parseChaos([]));
  expect(rounds.map((faults) => faults.length)).toEqual(Array.from({ length: 10 }, () => 13));
  expect(countFaults(rounds.flat())).toEqual({ kills: 100, broker: 10, redis: 10, cuts: 10 });
  const ofRole = (role: string) => rounds.flat().filter((fault) => fault.kind === "kill" && fault.role === role).length;
  expect(["eyes", "task-generator", "scheduler", "aggregator", "edge"].map(ofRole)).toEqual([20, 20, 20, 20, 20]);
  expect(planOf(parseChaos([]))).toEqual(rounds);
  expect(planOf(parseChaos(["--seed", "2"]))).not.toEqual(rounds);
});

test("only the named roles are killed", () => {
  const faults = planOf(
    parseChaos(["--roles", "edge,scheduler", "--kills", "4", "--broker", "0", "--redis", "0", "--cuts", "0"]),
  ).flat();
  expect(faults.map((fault) => fault.kind === "kill" && fault.role).sort()).toEqual(["edge", "edge", "scheduler", "scheduler"]);
});

test.each([
  [["--roles", "edge,nose"], 'there is no role "nose"'],
  [["--kills", "many"], '--kills takes a number from 0 to 10000, not "many"'],
  [["--gap", "5"], '--gap takes a time such as 5s or 500ms, not "5"'],
])("%p is refused", (args, says) => {
  expect(() => parseChaos(args)).toThrow(says);
});
