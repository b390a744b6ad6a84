/** One template, many children, by key: a camera each, a lane each. A child's failures count against that child alone. */

import type { Failure } from "../cell/failure.ts";
import type { Cell } from "../cell.ts";
import { every } from "../clock.ts";
import type { Envelope } from "../envelope.ts";
import { reasonOf } from "../errors.ts";
import { edgesOf } from "../tell-graph.ts";
import type { ChildSpec, DynamicSpec } from "../tree.ts";
import { finite, type NodePorts, type NodeState, type OnFailure, type SystemNode, type TreeNode } from "./node.ts";
import { before, endInPhases, isRestarted } from "./phases.ts";
import { createRestarter, type Restarter } from "./restarter.ts";

/** How long the end of a child waits for a restart of it that is under way. */
const restartEndMs = 2_000;

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

  hurryRestart(): void {
    this.#restarter?.hurry();
  }

  /** A restart under way ends first; its failures are forgotten. */
  async endRestarts(): Promise<void> {
    const restarter = this.#restarter;
    this.#restarter = null;
    await restarter?.end();
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
  let isEnding = false;
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
    if (!isWired) wire(childSpec, child);
    children.set(key, child);
    return child;
  };

  /** All children are wired alike, so the first shows what the template is wired to. */
  const wire = (childSpec: ChildSpec, { node, entry }: Child) => {
    const edges = edgesOf(childSpec, node.path);
    if (edges.length > 0) ports.tellGraph.add(entry ? [...edges, [path, entry.path]] : edges);
    isWired = true;
  };

  const begin = async (key: string, child: Child) => {
    if (children.get(key) !== child) return; // it was ended before its turn came
    try {
      await child.node.start();
    } catch (thrown) {
      if (children.get(key) !== child || state === "stopped") return;
      observer.failed(child.node.path, "start", reasonOf(thrown), undefined);
      childFailed({ path: child.node.path, key, reason: reasonOf(thrown), causeKeys: [] });
    }
  };

  const end = async (key: string, child: Child, reason: string) => {
    if (children.get(key) === child) children.delete(key);
    await before(clock, clock.monotonicMs() + restartEndMs, child.endRestarts());
    await endInPhases(child.node, reason, clock.monotonicMs());
  };

  const startChild = (key: string, args: unknown) =>
    void inTurn(key, async () => {
      for (let former = children.get(key); former; former = children.get(key)) await end(key, former, "replaced");
      if (state === "stopped" || isEnding) return;
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
      observer.failed(`${path}/${key}`, "create", reasonOf(thrown), undefined);
      return null;
    }
  };

  const cellOf = ({ key }: Envelope): Cell | null => (children.get(key) ?? onDemand(key))?.entry ?? null;

  const isIdle = ({ node }: Child, idleMs: number): boolean =>
    node.cells().every((cell) => cell.isQuiet() && clock.monotonicMs() - cell.lastHeardMs > idleMs);

  /** Ends children that heard nothing for long and hold nothing (rule 2). */
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
      if (spec.onDemand && !isEnding) {
        const { idleMs } = spec.onDemand;
        stopSweep = every(clock, idleMs / 2, () => sweep(idleMs));
      }
      for (const [key, child] of children) await begin(key, child);
    },
    async halt(reason) {
      stopSweep();
      await Promise.all(busy.values());
      for (const child of children.values()) {
        await child.endRestarts();
        await child.node.halt(reason);
      }
    },
    async end(phase, reason, deadlineMs) {
      if (phase === "intake") {
        isEnding = true;
        stopSweep();
        await before(clock, deadlineMs, Promise.all(busy.values()));
      }
      if (phase === "close") {
        state = "stopped";
        ports.dynamics.delete(path);
        ports.routes.delete(path);
      }
      await Promise.all(
        [...children.values()].map(async (child) => {
          if (phase === "commit" || phase === "close") await before(clock, deadlineMs, child.endRestarts());
          await child.node.end(phase, reason, deadlineMs);
          if (phase === "intake") child.hurryRestart();
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
