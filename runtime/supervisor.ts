/** Runs the tree: starts children in order, restarts what fails by strategy and tolerance, stops in reverse. */
import type { Failure } from "./cell/failure.ts";
import { dynamicNode } from "./supervisor/dynamic.ts";
import { finite, type NodePorts, type NodeState, type OnFailure, type TreeNode } from "./supervisor/node.ts";
import { before, endInPhases, isRestarted } from "./supervisor/phases.ts";
import { createRestarter } from "./supervisor/restarter.ts";
import { StageNode } from "./supervisor/stage.ts";
import type { ChildSpec, SupervisorSpec } from "./tree.ts";

export const createNode = (
  spec: ChildSpec,
  parentPath: string,
  key: string,
  ports: NodePorts,
  onFailure: OnFailure,
): TreeNode => {
  const path = parentPath === "" ? spec.name : `${parentPath}/${spec.name}`;
  switch (spec.kind) {
    case "stage":
      return new StageNode(spec, path, key, ports, onFailure);
    case "supervisor":
      return supervisorNode(spec, path, key, ports, onFailure);
    case "dynamic":
      return dynamicNode(spec, path, ports, onFailure, createNode);
  }
};

const supervisorNode = (spec: SupervisorSpec, path: string, key: string, ports: NodePorts, onFailure: OnFailure): TreeNode => {
  const names = spec.children.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`${path} has two children called ${twice}`);

  const { clock, observer } = ports;
  let state: NodeState = "stopped";
  let restarts = -1;
  let lastError: string | undefined;
  const counts = new Map<TreeNode, number>();
  /** Children that are not started again. */
  const over = new Set<TreeNode>();

  const endForGood = async (child: TreeNode, reason: string) => {
    over.add(child);
    observer.ended(child.path, reason);
    await endInPhases(child, reason, clock.monotonicMs());
  };

  const affectedBy = (failedPath: string): readonly TreeNode[] => {
    const at = children.findIndex((child) => failedPath === child.path || failedPath.startsWith(`${child.path}/`));
    if (spec.strategy === "one_for_all") return children;
    return spec.strategy === "rest_for_one" ? children.slice(at) : children.slice(at, at + 1);
  };

  const restart = async (failedPath: string, reason: string) => {
    // It was started again meanwhile, for the sake of another that failed with it.
    if (children.some((child) => child.cells().some(({ path: at, state: is }) => at === failedPath && is === "running"))) return;
    const affected = affectedBy(failedPath).filter((child) => !over.has(child));
    for (const child of [...affected].reverse()) {
      if (child.restart === "temporary") await endForGood(child, "its siblings are restarted");
      else await child.halt(reason);
    }
    for (const child of affected) {
      if (over.has(child)) continue;
      await child.start();
      counts.set(child, (counts.get(child) ?? 0) + 1);
      observer.restarted(child.path, counts.get(child) ?? 0);
    }
  };

  const makeRestarter = () =>
    createRestarter(path, spec.tolerance, ports, restart, (failure) => {
      lastError = failure.reason;
      onFailure(failure);
    });
  let restarter = makeRestarter();

  const childFailed = (child: TreeNode, failure: Failure) => {
    if (!failure.isOrderly) lastError = failure.reason;
    if (isRestarted(child.restart, failure)) restarter.failed(failure);
    else void endForGood(child, failure.reason);
  };
  const children: readonly TreeNode[] = spec.children.map((childSpec) => {
    const child: TreeNode = createNode(childSpec, path, key, ports, (failure) => childFailed(child, failure));
    return child;
  });

  return {
    path,
    restart: spec.restart,
    async start() {
      state = "starting";
      restarts++;
      restarter = makeRestarter(); // its failures are forgotten: the supervisor above counts this restart
      for (const child of children) if (!over.has(child)) await child.start();
      state = "running";
    },
    async halt(reason) {
      state = "restarting";
      await restarter.end(); // one of its own restarts may be under way
      for (const child of [...children].reverse()) {
        if (over.has(child)) continue;
        if (child.restart === "temporary") await endForGood(child, reason);
        else await child.halt(reason);
      }
    },
    async end(phase, reason, deadlineMs) {
      if (phase === "commit") await before(clock, deadlineMs, restarter.end());
      for (const child of [...children].reverse()) if (!over.has(child)) await child.end(phase, reason, deadlineMs);
      if (phase === "intake") restarter.hurry(); // a stage that waits for it may hold records that were taken
      if (phase === "close") state = "stopped";
    },
    snapshot: () => ({
      name: spec.name,
      state,
      restarts: Math.max(0, restarts),
      ...(lastError === undefined ? {} : { lastError }),
      children: children.map((child) => ({ ...child.snapshot(), restartsLeft: finite(restarter.left()) })),
    }),
    cells: () => children.flatMap((child) => child.cells()),
  };
};
