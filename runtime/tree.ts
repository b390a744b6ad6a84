/** The supervision tree as plain data: what `actors/pipeline.ts` writes and the system runs. */
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { ActorDefinition } from "./actor.ts";
import type { AnyDefinition } from "./cell.ts";
import type { TakesFrom } from "./inlet.ts";
import type { Tolerance } from "./intensity.ts";

/** Which children restart when one fails: it alone, it and those started after it, or all. */
export type Strategy = "one_for_one" | "rest_for_one" | "one_for_all";

export type StageSpec = {
  readonly kind: "stage";
  readonly name: string;
  readonly definition: AnyDefinition;
  readonly args: unknown;
  readonly takes: TakesFrom | null;
  readonly shutdownMs: number;
};

export type SupervisorSpec = {
  readonly kind: "supervisor";
  readonly name: string;
  readonly strategy: Strategy;
  readonly tolerance: Tolerance;
  /** In the order of their start; they stop in reverse. */
  readonly children: readonly ChildSpec[];
};

/** One template, many children, by key. */
export type DynamicSpec = {
  readonly kind: "dynamic";
  readonly name: string;
  readonly tolerance: Tolerance;
  readonly child: (key: string, args: never) => ChildSpec;
  /** A message for a key that has no child starts one; it goes to the stage of this name, or to the child itself. */
  readonly onDemand: { readonly entry: string | null; readonly idleMs: number } | null;
};

export type ChildSpec = StageSpec | SupervisorSpec | DynamicSpec;

type StageOptions<Args> = {
  readonly name?: string;
  readonly args: Args;
  readonly shutdownMs?: number;
};

export const stage = <Args, State, Receives extends Tagged, Loaded>(
  definition: ActorDefinition<Args, State, Receives, Loaded>,
  options: StageOptions<Args>,
): StageSpec => ({
  kind: "stage",
  name: options.name ?? definition.name,
  definition,
  args: options.args,
  takes: null,
  shutdownMs: options.shutdownMs ?? 2_000,
});

/** A stage that works through a topic, sharing it with its group. The actor must hear all that the topic carries. */
export const stageTaking = <Args, State, Receives extends Tagged, Loaded, Taken extends Receives>(
  topic: TopicDefinition<Taken>,
  definition: ActorDefinition<Args, State, Receives, Loaded>,
  options: StageOptions<Args> & { readonly from?: "group" | "end" },
): StageSpec => {
  const group = options.from === "end" ? null : topic.group;
  const pausesSource = topic.messages.every(
    ({ type }) => (definition.mailbox.byType?.[type] ?? definition.mailbox.overflow) === "pause-source",
  );
  if (!pausesSource) throw new Error(`${definition.name} takes ${topic.name}, so its mailbox must pause its source`);
  return { ...stage(definition, options), takes: { topic, group } };
};

export const supervisor = (
  name: string,
  strategy: Strategy,
  tolerance: Tolerance,
  children: readonly ChildSpec[],
): SupervisorSpec => ({ kind: "supervisor", name, strategy, tolerance, children });

export const dynamic = <Args>(
  name: string,
  tolerance: Tolerance,
  child: (key: string, args: Args) => ChildSpec,
  onDemand: DynamicSpec["onDemand"] = null,
): DynamicSpec => ({ kind: "dynamic", name, tolerance, child: child as DynamicSpec["child"], onDemand });
