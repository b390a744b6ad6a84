/** A running tree: messages in from outside, a picture of it, drills, and an orderly end. */
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Address, DynamicAddress } from "./actor.ts";
import { type Asks, createAsks } from "./asks.ts";
import type { Outgoing } from "./bus.ts";
import type { Cell } from "./cell.ts";
import { type Envelope, noCauses } from "./envelope.ts";
import { reasonOf } from "./errors.ts";
import type { Lease } from "./frame-pool.ts";
import type { World } from "./ports.ts";
import { traceId } from "./random.ts";
import { recentMessages } from "./recent.ts";
import { abandonAll } from "./settlement.ts";
import type { NodePorts, SystemNode } from "./supervisor/node.ts";
import { endInPhases, phases } from "./supervisor/phases.ts";
import { createNode } from "./supervisor.ts";
import { createTellGraph, edgesOf } from "./tell-graph.ts";
import type { SupervisorSpec } from "./tree.ts";
import { createWatches } from "./watches.ts";

/** A message that nobody took. */
export type DeadLetter = {
  readonly to: string;
  readonly type: string;
  readonly key: string;
  readonly trace: string;
  readonly why: string;
};

export type System = {
  readonly tell: <M extends Tagged>(to: Address<M>, message: M, lease?: Lease) => void;
  /** Sends a question and waits for its answer. Rejects with `Fault("unavailable")` when none comes within `timeoutMs`. For the edge. */
  readonly ask: Asks["ask"];
  /** Calls `seen` for each message that nobody took, until the result is called. */
  readonly onDeadLetter: (seen: (letter: DeadLetter) => void) => () => void;
  readonly startChild: <Args>(supervisor: DynamicAddress<Args>, key: string, args: Args) => void;
  readonly stopChild: (supervisor: DynamicAddress<never>, key: string) => void;
  readonly snapshot: () => SystemNode;
  /** Makes the stage at `path` fail as if a handler had thrown. False when there is none. */
  readonly fail: (path: string, reason: string) => boolean;
  /** Every stage's path, in no order. */
  readonly stages: () => readonly string[];
  /** In the phases of `supervisor/phases.ts`; work in hand is finished for at most `drainMs`. What is not settled by then is left for the next owner. */
  readonly stop: (reason: string, drainMs: number) => Promise<void>;
};

/** `fatal` is called when the root has had too many failures: the process cannot go on. */
export const startSystem = async (
  tree: SupervisorSpec,
  topics: readonly TopicDefinition<never>[],
  world: World,
  fatal: (reason: string) => void,
): Promise<System> => {
  const topicOf = new Map<string, TopicDefinition<never>>();
  for (const topic of topics) for (const { type } of topic.messages) topicOf.set(type, topic);

  const routes: NodePorts["routes"] = new Map();
  const dynamics: NodePorts["dynamics"] = new Map();
  const listeners = new Set<(letter: DeadLetter) => void>();

  const deadLetter = (to: string, { type, key, trace, lease, causes }: Envelope, why: string) => {
    world.observer.dropped(to, type, "dead_letter", 1);
    if (lease) world.frames.release(lease);
    abandonAll(causes, `${to} did not take it: ${why}`);
    for (const seen of listeners) {
      try {
        seen({ to, type, key, trace, why });
      } catch (thrown) {
        world.observer.failed(to, "dead_letter", reasonOf(thrown), undefined); // a listener's fault is not the sender's
      }
    }
  };

  const route = (path: string, envelope: Envelope): Cell | null => {
    const cell = routes.get(path)?.cellOf(envelope) ?? null;
    if (cell) cell.offer(envelope);
    else deadLetter(path, envelope, "there is no such stage");
    return cell;
  };

  const tell = (path: string, message: Tagged, lease: Lease | null) =>
    route(path, {
      type: message.type,
      key: world.keyOf(message),
      trace: newTrace(),
      bytes: world.codec.encode(message),
      causes: noCauses,
      lease,
      enqueuedAtMs: world.dispatcher.atMs(),
    });
  const asks = createAsks(world.clock, world.codec, (path, message) => tell(path, message, null) !== null);

  const recordOf = (message: Tagged, trace: string): Outgoing => {
    const topic = topicOf.get(message.type);
    if (!topic) throw new Error(`no topic carries ${message.type}`);
    const typed = message as never; // the topic that lists this type takes it
    return {
      topic: topic.name,
      key: topic.keyOf(typed),
      id: topic.idOf(typed),
      type: message.type,
      trace,
      bytes: world.codec.encode(message),
    };
  };

  const newTrace = () => traceId(world.random);
  const recent: NodePorts["recent"] = (topic, sinceMs) => recentMessages(world.bus, world.codec, topic, sinceMs);
  const ports: NodePorts = {
    ...world,
    routes,
    dynamics,
    newTrace,
    ...{ recent, recentOfAll: recent },
    recordOf,
    route,
    deadLetter,
    reply(path, envelope) {
      const isTaken = asks.answered(path, envelope) || routes.get(path)?.cellOf(envelope)?.answer(envelope);
      if (!isTaken) deadLetter(path, envelope, "nobody waits for this answer");
    },
    watches: createWatches((path) => root.cells().some((cell) => cell.path === path && cell.state === "running")),
    tellGraph: createTellGraph(),
    startChild: (path, key, args) => dynamics.get(path)?.startChild(key, args),
    stopChild: (path, key) => dynamics.get(path)?.stopChild(key),
  };

  ports.tellGraph.add(edgesOf(tree, tree.name));
  const root = createNode(tree, "", "", ports, ({ reason }) => fatal(reason));
  try {
    await root.start();
  } catch (thrown) {
    await endInPhases(root, "the start failed", world.clock.monotonicMs()); // what did start gives back what it holds
    throw thrown;
  }

  const stop = async (reason: string, drainMs: number) => {
    const deadlineMs = world.clock.monotonicMs() + drainMs;
    for (const phase of phases) {
      const beganMs = world.clock.monotonicMs();
      await root.end(phase, reason, deadlineMs);
      world.observer.phaseEnded(phase, world.clock.monotonicMs() - beganMs);
    }
    asks.close();
  };

  return {
    tell: (to, message, lease) => void tell(to.path, message, lease ?? null),
    ask: asks.ask,
    onDeadLetter(seen) {
      listeners.add(seen);
      return () => void listeners.delete(seen);
    },
    startChild: (to, key, args) => ports.startChild(to.path, key, args),
    stopChild: (to, key) => ports.stopChild(to.path, key),
    snapshot: () => ({ ...root.snapshot(), restartsLeft: null }),
    fail(path, reason) {
      const cell = root.cells().find((each) => each.path === path);
      cell?.fail(reason);
      return cell !== undefined;
    },
    stages: () => root.cells().map(({ path }) => path),
    stop,
  };
};
