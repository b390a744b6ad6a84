/** What a risk update says, as a number: the sums of these over what clients heard and over what the log holds are the same, or something is missing. */
import type { RiskUpdate } from "../../protocols/verdict.ts";

type Said = Pick<RiskUpdate, "id" | "final"> & {
  readonly results: readonly Pick<RiskUpdate["results"][number], "taskId" | "status" | "riskLevel">[];
};

export const digestOf = ({ id, final, results }: Said): bigint =>
  BigInt(Bun.hash(`${id} ${final} ${results.map(({ taskId, status, riskLevel }) => `${taskId} ${status} ${riskLevel}`).join()}`));

/** Order does not matter. */
export const addDigests = (one: bigint, other: bigint): bigint => BigInt.asUintN(64, one + other);
