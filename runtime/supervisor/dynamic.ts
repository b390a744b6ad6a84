/** One template, many children, by key: a camera each, a lane each. A child's failures count against that child alone. */
import type { Cell } from "../cell.ts";
import { every } from "../clock.ts";
import type { Envelope } from "../envelope.ts";
import { reasonOf } from "../errors.ts";
import { abandonAll } from "../settlement.ts";
import type { ChildSpec, DynamicSpec } from "../tree.ts";
import { finite, type NodePorts, type NodeState, type OnFailure, type TreeNode } from "./node.ts";
import { createRestarter } from "./restarter.ts";

const childrenMax = 10_000;

type Child = {
  readonly node: TreeNode;
  readonly restarter: ReturnType<typeof createRestarter>;
  restarts: number;
  lastError: string | null;
};

type CreateNode = (spec: ChildSpec, parentPath: string, key: string, ports: NodePorts, onFailure: OnFailure) => TreeNode;

export const dynamicNode = (
  spec: DynamicSpec,
  path: string,
  ports: NodePorts,
  onFailure: OnFailure,
  createNode: CreateNode,
): TreeNode => {
  const children = new Map<string, Child>();
  /** Starts and stops of one key follow one another. */
  const busy = new Map<string, Promise<void>>();
  let state: NodeState = "stopped";
  let stopSweep = () => {};

  const inTurn = (key: string, work: () => Promise<void>) => {
    const done = (busy.get(key) ?? Promise.resolve())
      .then(work)
      .catch((thrown) => ports.observer.failed(`${path}/${key}`, "change", reasonOf(thrown), undefined));
    busy.set(key, done);
    void done.then(() => {
      if (busy.get(key) === done) busy.delete(key);
    });
    return done;
  };

  const create = (key: string, args: unknown): Child => {
    const node = createNode(spec.child(key, args as never), path, key, ports, (failure) => {
      child.lastError = failure.reason;
      child.restarter.failed(failure);
    });
    const restarter = createRestarter(
      node.path,
      spec.tolerance,
      ports,
      async (_failedPath, reason) => {
        await node.halt(reason);
        await node.start();
        ports.observer.restarted(node.path, ++child.restarts);
      },
      onFailure,
    );
    const child: Child = { node, restarter, restarts: 0, lastError: null };
    children.set(key, child);
    return child;
  };

  const begin = async (child: Child) => {
    try {
      await child.node.start();
    } catch (thrown) {
      const reason = reasonOf(thrown);
      child.lastError = reason;
      child.restarter.failed({ path: child.node.path, reason, causeKeys: [] });
    }
  };

  const end = async (key: string, reason: string, deadlineMs: number) => {
    const child = children.get(key);
    if (!child) return;
    children.delete(key);
    await child.restarter.end();
    await child.node.stop(reason, deadlineMs);
  };

  const startChild = (key: string, args: unknown) =>
    void inTurn(key, async () => {
      await end(key, "replaced", ports.clock.monotonicMs());
      if (state === "stopped") return;
      if (children.size >= childrenMax) throw new Error(`${path} has ${childrenMax} children already`);
      await begin(create(key, args));
    });

  const stopChild = (key: string) => void inTurn(key, () => end(key, "stopped", ports.clock.monotonicMs()));

  const route = (envelope: Envelope): Cell | null => {
    const { key } = envelope;
    let child = children.get(key);
    if (!child && spec.onDemand && state === "running" && children.size < childrenMax && !busy.has(key)) {
      child = create(key, undefined);
      const made = child;
      void inTurn(key, () => begin(made));
    }
    const entry = spec.onDemand?.entry;
    const cell = child?.node.cells().find(({ path: at }) => !entry || at.endsWith(`/${entry}`));
    if (cell) {
      cell.offer(envelope);
      return cell;
    }
    ports.observer.dropped(path, envelope.type, "dead_letter", 1);
    if (envelope.lease) ports.frames.release(envelope.lease);
    abandonAll(envelope.causes, `${path} has no child ${key}`);
    return null;
  };

  /** Ends children that heard nothing for long and hold nothing (design rule 2). */
  const sweep = (idleMs: number) => {
    const nowMs = ports.clock.monotonicMs();
    for (const [key, { node }] of children) {
      const isIdle = node.cells().every((cell) => cell.isQuiet() && nowMs - cell.lastHeardMs() > idleMs);
      if (isIdle) stopChild(key);
    }
  };

  return {
    path,
    async start() {
      state = "running";
      ports.routes.set(path, route);
      ports.dynamics.set(path, { startChild, stopChild });
      if (spec.onDemand) {
        const { idleMs } = spec.onDemand;
        stopSweep = every(ports.clock, idleMs / 2, () => sweep(idleMs));
      }
      for (const child of children.values()) await begin(child);
    },
    async halt(reason) {
      stopSweep();
      for (const { node } of children.values()) await node.halt(reason);
    },
    async stop(reason, deadlineMs) {
      state = "stopped";
      stopSweep();
      await Promise.all([...children.keys()].map((key) => inTurn(key, () => end(key, reason, deadlineMs))));
      ports.routes.delete(path);
      ports.dynamics.delete(path);
    },
    snapshot: () => ({
      name: spec.name,
      state,
      restarts: 0,
      children: [...children.values()].map(({ node, restarter, restarts, lastError }) => ({
        ...node.snapshot(),
        restarts,
        restartsLeft: finite(restarter.left()),
        ...(lastError === null ? {} : { lastError }),
      })),
    }),
    cells: () => [...children.values()].flatMap(({ node }) => node.cells()),
  };
};
