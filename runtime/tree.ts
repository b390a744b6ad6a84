/** The supervision tree as plain data: what `actors/pipeline.ts` writes and the system runs. */
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { ActorDefinition, Address } from "./actor.ts";
import type { AnyDefinition } from "./cell.ts";
import type { TakesFrom } from "./inlet.ts";
import type { Tolerance } from "./intensity.ts";

/** Which children restart when one fails: it alone, it and those started after it, or all. */
export type Strategy = "one_for_one" | "rest_for_one" | "one_for_all";

/**
 * When a child that ended is started again: always, only when it failed, or never. A temporary child is not started again when
 * its siblings are, either; a failure of it counts against nobody.
 */
export type Restart = "permanent" | "transient" | "temporary";

export type StageSpec = {
  readonly kind: "stage";
  readonly name: string;
  readonly restart: Restart;
  readonly definition: AnyDefinition;
  readonly args: unknown;
  /** The stages it may send messages to. They must not lead back to it (rule 6). */
  readonly tells: ReadonlySet<string>;
  readonly takes: TakesFrom | null;
  readonly shutdownMs: number;
};

export type SupervisorSpec = {
  readonly kind: "supervisor";
  readonly name: string;
  readonly restart: Restart;
  readonly strategy: Strategy;
  readonly tolerance: Tolerance;
  /** In the order of their start; they stop in reverse. */
  readonly children: readonly ChildSpec[];
};

/** One template, many children, by key. */
export type DynamicSpec = {
  readonly kind: "dynamic";
  readonly name: string;
  readonly restart: Restart;
  readonly tolerance: Tolerance;
  readonly child: (key: string, args: never) => ChildSpec;
  readonly childrenMax: number;
  /** A message for a key that has no child starts one; it goes to the stage of this name, or to the child itself. */
  readonly onDemand: { readonly entry: string | null; readonly idleMs: number } | null;
};

export type ChildSpec = StageSpec | SupervisorSpec | DynamicSpec;

type StageOptions<Args> = {
  readonly name?: string;
  readonly args: Args;
  readonly tells?: readonly Address<never>[];
  /** Default permanent: an actor of a pipeline has no reason to end. */
  readonly restart?: Restart;
  /** How long it may take to give back what it holds. */
  readonly shutdownMs?: number;
};

const noTells: ReadonlySet<string> = new Set();

export const stage = <Args, State, Receives extends Tagged, Emits extends Tagged, Loaded>(
  definition: ActorDefinition<Args, State, Receives, Emits, Loaded>,
  options: StageOptions<Args>,
): StageSpec => ({
  kind: "stage",
  name: options.name ?? definition.name,
  restart: options.restart ?? "permanent",
  definition,
  args: options.args,
  tells: options.tells ? new Set(options.tells.map(({ path }) => path)) : noTells,
  takes: null,
  shutdownMs: options.shutdownMs ?? 2_000,
});

/** A stage that works through a topic, sharing it with its group. The actor must hear all that the topic carries. */
export const stageTaking = <Args, State, Receives extends Tagged, Emits extends Tagged, Loaded, Taken extends Receives>(
  topic: TopicDefinition<Taken>,
  definition: ActorDefinition<Args, State, Receives, Emits, Loaded>,
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
  restart: Restart = "permanent",
): SupervisorSpec => ({ kind: "supervisor", name, restart, strategy, tolerance, children });

type DynamicOptions = {
  readonly onDemand?: DynamicSpec["onDemand"];
  /** Default 10,000. */
  readonly childrenMax?: number;
};

export const dynamic = <Args>(
  name: string,
  tolerance: Tolerance,
  child: (key: string, args: Args) => ChildSpec,
  { onDemand = null, childrenMax = 10_000 }: DynamicOptions = {},
): DynamicSpec => ({
  kind: "dynamic",
  name,
  restart: "permanent",
  tolerance,
  child: child as DynamicSpec["child"], // what a dynamic address carries is what its template takes
  childrenMax,
  onDemand,
});
