/** Runs the tree: starts children in order, restarts what fails by strategy and tolerance, stops in reverse. */
import { dynamicNode } from "./supervisor/dynamic.ts";
import { finite, type NodePorts, type NodeState, type OnFailure, type TreeNode } from "./supervisor/node.ts";
import { createRestarter } from "./supervisor/restarter.ts";
import { stageNode } from "./supervisor/stage.ts";
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
      return stageNode(spec, path, key, ports, onFailure);
    case "supervisor":
      return supervisorNode(spec, path, key, ports, onFailure);
    case "dynamic":
      return dynamicNode(spec, path, ports, onFailure, createNode);
  }
};

const supervisorNode = (spec: SupervisorSpec, path: string, key: string, ports: NodePorts, onFailure: OnFailure): TreeNode => {
  let state: NodeState = "stopped";
  let restarts = -1;
  let lastError: string | undefined;
  let counts = spec.children.map(() => 0);

  const affectedBy = (failedPath: string): readonly TreeNode[] => {
    const at = children.findIndex((child) => failedPath === child.path || failedPath.startsWith(`${child.path}/`));
    if (spec.strategy === "one_for_all") return children;
    return spec.strategy === "rest_for_one" ? children.slice(at) : children.slice(at, at + 1);
  };

  const restart = async (failedPath: string, reason: string) => {
    const affected = affectedBy(failedPath);
    for (const child of [...affected].reverse()) await child.halt(reason);
    for (const child of affected) {
      await child.start();
      counts = counts.map((count, index) => (children[index] === child ? count + 1 : count));
      ports.observer.restarted(child.path, counts[children.indexOf(child)] ?? 0);
    }
  };

  const makeRestarter = () =>
    createRestarter(path, spec.tolerance, ports, restart, (failure) => {
      lastError = failure.reason;
      onFailure(failure);
    });
  let restarter = makeRestarter();
  const children: readonly TreeNode[] = spec.children.map((child) =>
    createNode(child, path, key, ports, (failure) => {
      lastError = failure.reason;
      restarter.failed(failure);
    }),
  );

  return {
    path,
    async start() {
      state = "starting";
      restarts++;
      restarter = makeRestarter(); // its failures are forgotten: the supervisor above counts this restart
      for (const child of children) await child.start();
      state = "running";
    },
    async halt(reason) {
      state = "restarting";
      void restarter.end(); // not awaited: the restarter that escalated is still within its own failure
      for (const child of [...children].reverse()) await child.halt(reason);
    },
    async stop(reason, deadlineMs) {
      await restarter.end();
      for (const child of [...children].reverse()) await child.stop(reason, deadlineMs);
      state = "stopped";
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
