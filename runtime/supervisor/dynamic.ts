/** One template, many children, by key: a camera each, a lane each. A child's failures count against that child alone. */
import type { Cell, Failure } from "../cell.ts";
import { every } from "../clock.ts";
import type { Envelope } from "../envelope.ts";
import { reasonOf } from "../errors.ts";
import { edgesOf } from "../tell-graph.ts";
import type { ChildSpec, DynamicSpec } from "../tree.ts";
import { finite, type NodePorts, type NodeState, type OnFailure, type SystemNode, type TreeNode } from "./node.ts";
import { endInPhases, isRestarted } from "./phases.ts";
import { createRestarter, type Restarter } from "./restarter.ts";

type CreateNode = (spec: ChildSpec, parentPath: string, key: string, ports: NodePorts, onFailure: OnFailure) => TreeNode;

// A class for its size, like the cell. What only failing children need is made when they fail.
class Child {
  readonly node: TreeNode;
  /** The stage that messages for this key go to. */
  readonly entry: Cell | null;
  #restarter: Restarter | null = null;
  restarts = 0;
  lastError: string | null = null;

  constructor(node: TreeNode, entryName: string | null) {
    this.node = node;
    this.entry = node.cells().find(({ path }) => entryName === null || path.endsWith(`/${entryName}`)) ?? null;
  }

  failed(failure: Failure, makeRestarter: (child: Child) => Restarter): void {
    this.lastError = failure.reason;
    this.#restarter ??= makeRestarter(this);
    this.#restarter.failed(failure);
  }

  async endRestarts(): Promise<void> {
    await this.#restarter?.end();
  }

  snapshot(tolerated: number): SystemNode {
    return {
      ...this.node.snapshot(),
      restarts: this.restarts,
      restartsLeft: finite(this.#restarter?.left() ?? tolerated),
      ...(this.lastError === null ? {} : { lastError: this.lastError }),
    };
  }
}

export const dynamicNode = (
  spec: DynamicSpec,
  path: string,
  ports: NodePorts,
  onFailure: OnFailure,
  createNode: CreateNode,
): TreeNode => {
  const { clock, observer } = ports;
  const children = new Map<string, Child>();
  /** Starts and stops of one key follow one another. */
  const busy = new Map<string, Promise<void>>();
  let state: NodeState = "stopped";
  let isWired = false;
  let stopSweep = () => {};

  const inTurn = (key: string, work: () => Promise<void>) => {
    const done = (busy.get(key) ?? Promise.resolve())
      .then(work)
      .catch((thrown) => observer.failed(`${path}/${key}`, "change", reasonOf(thrown), undefined));
    busy.set(key, done);
    void done.then(() => {
      if (busy.get(key) === done) busy.delete(key);
    });
    return done;
  };

  const makeRestarter = (child: Child) =>
    createRestarter(
      child.node.path,
      spec.tolerance,
      ports,
      async (_failedPath, reason) => {
        await child.node.halt(reason);
        await child.node.start();
        observer.restarted(child.node.path, ++child.restarts);
      },
      onFailure,
    );

  const childFailed = (failure: Failure) => {
    const { key, reason } = failure;
    const child = children.get(key);
    if (!child) return; // it is on its way out
    if (isRestarted(child.node.restart, failure)) return child.failed(failure, makeRestarter);
    child.lastError = reason;
    observer.ended(child.node.path, reason);
    void inTurn(key, () => end(key, child, reason));
  };

  const create = (key: string, args: unknown): Child => {
    const childSpec = spec.child(key, args as never); // the dynamic address carried what the template takes
    const child = new Child(createNode(childSpec, path, key, ports, childFailed), spec.onDemand?.entry ?? null);
    children.set(key, child);
    if (!isWired) wire(childSpec, child);
    return child;
  };

  /** All children are wired alike, so the first shows what the template is wired to. */
  const wire = (childSpec: ChildSpec, { node, entry }: Child) => {
    isWired = true;
    const edges = edgesOf(childSpec, node.path);
    if (edges.length > 0) ports.tellGraph.add(entry ? [...edges, [path, entry.path]] : edges);
  };

  const begin = async (key: string, child: Child) => {
    try {
      await child.node.start();
    } catch (thrown) {
      observer.failed(child.node.path, "start", reasonOf(thrown), undefined);
      child.failed({ path: child.node.path, key, reason: reasonOf(thrown), causeKeys: [] }, makeRestarter);
    }
  };

  const end = async (key: string, child: Child, reason: string) => {
    if (children.get(key) === child) children.delete(key);
    await child.endRestarts();
    await endInPhases(child.node, reason, clock.monotonicMs());
  };

  const startChild = (key: string, args: unknown) =>
    void inTurn(key, async () => {
      const former = children.get(key);
      if (former) await end(key, former, "replaced");
      if (state === "stopped") return;
      if (children.size >= spec.childrenMax) throw new Error(`${path} has ${spec.childrenMax} children already`);
      await begin(key, create(key, args));
    });

  const stopChild = (key: string) =>
    void inTurn(key, async () => {
      const child = children.get(key);
      if (child) await end(key, child, "stopped");
    });

  const onDemand = (key: string): Child | null => {
    if (!spec.onDemand || state !== "running" || children.size >= spec.childrenMax) return null;
    try {
      const child = create(key, undefined);
      void inTurn(key, () => begin(key, child)); // after the end of a former one, when that is still under way
      return child;
    } catch (thrown) {
      children.delete(key);
      observer.failed(`${path}/${key}`, "create", reasonOf(thrown), undefined);
      return null;
    }
  };

  const cellOf = ({ key }: Envelope): Cell | null => (children.get(key) ?? onDemand(key))?.entry ?? null;

  const isIdle = ({ node }: Child, idleMs: number): boolean =>
    node.cells().every((cell) => cell.isQuiet() && clock.monotonicMs() - cell.lastHeardMs > idleMs);

  /** Ends children that heard nothing for long and hold nothing (design rule 2). */
  const sweep = (idleMs: number) => {
    for (const [key, child] of children) {
      if (!isIdle(child, idleMs)) continue;
      void inTurn(key, async () => {
        // Looked at again: it may have been given work since.
        if (children.get(key) === child && isIdle(child, idleMs)) await end(key, child, "idle");
      });
    }
  };

  return {
    path,
    restart: spec.restart,
    async start() {
      state = "running";
      ports.routes.set(path, { cellOf });
      ports.dynamics.set(path, { startChild, stopChild });
      if (spec.onDemand) {
        const { idleMs } = spec.onDemand;
        stopSweep = every(clock, idleMs / 2, () => sweep(idleMs));
      }
      for (const [key, child] of children) await begin(key, child);
    },
    async halt(reason) {
      stopSweep();
      for (const { node } of children.values()) await node.halt(reason);
    },
    async end(phase, reason, deadlineMs) {
      if (phase === "intake") {
        stopSweep();
        await Promise.all(busy.values());
      }
      if (phase === "close") {
        state = "stopped";
        ports.dynamics.delete(path);
        ports.routes.delete(path);
      }
      await Promise.all(
        [...children.values()].map(async (child) => {
          if (phase === "intake" || phase === "close") await child.endRestarts();
          await child.node.end(phase, reason, deadlineMs);
        }),
      );
      if (phase === "close") children.clear();
    },
    snapshot: () => ({
      name: spec.name,
      state,
      restarts: 0,
      children: [...children.values()].map((child) => child.snapshot(spec.tolerance.restarts)),
    }),
    cells: () => [...children.values()].flatMap(({ node }) => node.cells()),
  };
};
