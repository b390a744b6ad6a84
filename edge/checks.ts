/** What makes a process ready, by its roles. */
import type { Role } from "../actors/pipeline.ts";
import type { GroupView } from "../actors/scheduler/quota.ts";
import type { Bus } from "../runtime/bus.ts";
import type { Store } from "../runtime/store.ts";
import type { SystemNode } from "../runtime/supervisor/node.ts";
import type { Check } from "./ports.ts";
import type { Vision } from "./vision.ts";

export type Checked = {
  readonly bus: Bus;
  readonly store: Store;
  readonly vision: Vision;
  readonly quota: () => readonly GroupView[];
  readonly tree: () => SystemNode;
};

export const checksOf = (
  roles: ReadonlySet<Role>,
  { bus, store, vision, quota, tree }: Checked,
): Readonly<Record<string, Check>> => ({
  bus: busCheck(bus, roles, tree),
  store: storeCheck(store),
  ...(roles.has("eyes") ? { detector: vision.check() } : {}),
  ...(roles.has("scheduler") ? { llm: quotaCheck(quota()) } : {}),
});

/** Stages that take a topic, under the names of their roles. */
const takers: readonly Role[] = ["aggregator", "scheduler", "task-generator"];

/** A process that has not yet got its share of a topic is of no use there: it is ready when it reads. */
const busCheck = (bus: Bus, roles: ReadonlySet<Role>, tree: () => SystemNode): Check => {
  const { waits = [], ...health } = bus.health();
  const check = driverCheck(health);
  if (check.status === "down") return check;
  const reading = new Set(tree().children.flatMap(({ name, takes }) => (takes ? [name] : [])));
  const starting = takers.filter((role) => roles.has(role) && !reading.has(role)).map((role) => `${role} starts to read`);
  const all = [...starting, ...waits];
  return all.length === 0 ? check : { status: "down", detail: `${health.detail}; ${all.join("; ")}` };
};

const driverCheck = ({ status, detail }: { readonly status: "up" | "away"; readonly detail: string }): Check => ({
  status: status === "up" ? "up" : "down",
  detail,
});

/** Without Redis facts wait in memory and verdicts go on; without the file in `data.dir` nothing here is safe. */
const storeCheck = (store: Store): Check => {
  const check = driverCheck(store.health());
  return store.driver === "redis" && check.status === "down" ? { ...check, status: "degraded" } : check;
};

/** Without a usable key the rules assess: less, and said, but not down. */
const quotaCheck = (groups: readonly GroupView[]): Check => {
  const keys = groups.flatMap((group) => group.keys.map(({ state }) => ({ state, group: group.state })));
  if (keys.length === 0) return { status: "up", detail: "no keys: the rules assess" };
  const usable = keys.filter(
    ({ state, group }) => (state === "available" || state === "in_use") && group !== "parked" && group !== "broken",
  ).length;
  return { status: usable > 0 ? "up" : "degraded", detail: `${usable} of ${keys.length} keys usable` };
};
