/** A running tree: messages in from outside, a picture of it, drills, and an orderly end. */
import type { Tagged } from "../protocols/message.ts";
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Address, DynamicAddress } from "./actor.ts";
import type { Outgoing } from "./bus.ts";
import type { Cell } from "./cell.ts";
import { type Envelope, noCauses } from "./envelope.ts";
import type { Lease } from "./frame-pool.ts";
import type { World } from "./ports.ts";
import { traceId } from "./random.ts";
import { recentMessages } from "./recent.ts";
import { abandonAll } from "./settlement.ts";
import type { NodePorts, SystemNode } from "./supervisor/node.ts";
import { createNode } from "./supervisor.ts";
import type { SupervisorSpec } from "./tree.ts";

export type System = {
  readonly tell: <M extends Tagged>(to: Address<M>, message: M, lease?: Lease) => void;
  readonly startChild: <Args>(supervisor: DynamicAddress<Args>, key: string, args: Args) => void;
  readonly stopChild: (supervisor: DynamicAddress<never>, key: string) => void;
  readonly snapshot: () => SystemNode;
  /** Makes the stage at `path` fail as if a handler had thrown. False when there is none. */
  readonly fail: (path: string, reason: string) => boolean;
  /** Every stage's path, in no order. */
  readonly stages: () => readonly string[];
  /** Sources first; work in hand is finished for at most `drainMs`. What is not settled by then is left for the next owner. */
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

  const route = (path: string, envelope: Envelope): Cell | null => {
    const deliver = routes.get(path);
    if (deliver) return deliver(envelope);
    world.observer.dropped(path, envelope.type, "dead_letter", 1);
    if (envelope.lease) world.frames.release(envelope.lease);
    abandonAll(envelope.causes, `there is no ${path}`);
    return null;
  };

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
  const ports: NodePorts = {
    ...world,
    routes,
    dynamics,
    newTrace,
    recent: (topic, sinceMs) => recentMessages(world.bus, world.codec, topic, sinceMs),
    recordOf,
    route,
    startChild: (path, key, args) => dynamics.get(path)?.startChild(key, args),
    stopChild: (path, key) => dynamics.get(path)?.stopChild(key),
  };

  const root = createNode(tree, "", "", ports, ({ reason }) => fatal(reason));
  try {
    await root.start();
  } catch (thrown) {
    await root.stop("the start failed", world.clock.monotonicMs()); // what did start gives back what it holds
    throw thrown;
  }

  return {
    tell(to, message, lease) {
      const { keyOf, codec, clock } = world;
      route(to.path, {
        type: message.type,
        key: keyOf(message),
        trace: newTrace(),
        bytes: codec.encode(message),
        causes: noCauses,
        lease: lease ?? null,
        enqueuedAtMs: clock.monotonicMs(),
      });
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
    stop: (reason, drainMs) => root.stop(reason, world.clock.monotonicMs() + drainMs),
  };
};
