/** When a process is ready, by what its parts say. */
import { expect, test } from "bun:test";
import type { Role } from "../../../actors/pipeline.ts";
import { type Checked, checksOf } from "../../../edge/checks.ts";
import type { BusHealth } from "../../../runtime/bus.ts";
import type { SystemNode } from "../../../runtime/supervisor/node.ts";

const node = (name: string, rest: Partial<SystemNode> = {}): SystemNode => ({
  ...{ name, state: "running", restarts: 0, restartsLeft: null, children: [] },
  ...rest,
});
const reading = (name: string) => node(name, { takes: { topic: "t", inWork: 0, oldestMs: 0 } });
const up: BusHealth = { status: "up", detail: "kafka at k:9092" };

const busOf = (role: Role, health: BusHealth, children: readonly SystemNode[]) => {
  const parts = {
    bus: { health: () => health },
    store: { driver: "sqlite", health: () => ({ status: "up", detail: "" }) },
    quota: () => [],
    tree: () => node("vedette", { children }),
  };
  return checksOf(new Set([role]), parts as unknown as Checked).bus; // no more of them is asked
};

test.each<[string, Role, BusHealth, readonly SystemNode[], "up" | "down", string]>([
  ["a stage that reads its topic", "scheduler", up, [reading("scheduler")], "up", "kafka at k:9092"],
  [
    "a stage that waits for the bus, or has just found it",
    ...(["scheduler", up, [node("scheduler", { state: "starting" })], "down"] as const),
    "kafka at k:9092; scheduler starts to read",
  ],
  [
    "a group that is being joined",
    ...(["scheduler", { ...up, waits: ["group g of t is being joined"] }, [reading("scheduler")], "down"] as const),
    "kafka at k:9092; group g of t is being joined",
  ],
  [
    "a bus that is away, whatever waits for it",
    ...(["scheduler", { status: "away", detail: "away", waits: ["x"] }, [node("scheduler")], "down"] as const),
    "away",
  ],
  ["an edge, which takes part in no group", "edge", up, [node("live")], "up", "kafka at k:9092"],
])("%s", (_, role, health, children, status, detail) => {
  expect(busOf(role, health, children)).toEqual({ status, detail });
});
