/** A leaf of the tree: one actor, and its way in from a topic. */
import { createCell } from "../cell.ts";
import { delay } from "../clock.ts";
import { type Inlet, openInlet } from "../inlet.ts";
import type { StageSpec } from "../tree.ts";
import type { NodePorts, OnFailure, TreeNode } from "./node.ts";

/** A failed cell is on its way to its next incarnation. */
const stateOf = { starting: "starting", running: "running", failed: "restarting", stopped: "stopped" } as const;

/** Waits until `isDone`, looking again every 10 ms, at most until `deadlineMs`. */
const waitUntil = async (isDone: () => boolean, deadlineMs: number, ports: NodePorts): Promise<void> => {
  while (!isDone() && ports.clock.monotonicMs() < deadlineMs) await delay(ports.clock, 10);
};

export const stageNode = (spec: StageSpec, path: string, key: string, ports: NodePorts, onFailure: OnFailure): TreeNode => {
  let restarts = -1;
  let lastError: string | undefined;
  let inlet: Inlet | null = null;
  const cell = createCell({ path, key, definition: spec.definition, args: spec.args }, ports, (failure) => {
    lastError = failure.reason;
    onFailure(failure);
  });

  return {
    path,
    async start() {
      await cell.start();
      restarts++;
      ports.routes.set(path, (envelope) => {
        cell.offer(envelope);
        return cell;
      });
      if (spec.takes) inlet ??= await openInlet(spec.takes, cell, ports);
    },
    halt: cell.halt,
    async stop(reason, deadlineMs) {
      inlet?.pause();
      await waitUntil(() => cell.state() !== "running" || (cell.isQuiet() && (inlet?.inWork() ?? 0) === 0), deadlineMs, ports);
      ports.routes.delete(path);
      const givenBack = cell.stop(reason).then(() => true);
      if (!(await Promise.race([givenBack, delay(ports.clock, spec.shutdownMs).then(() => false)])))
        ports.observer.failed(path, "release", `not given back within ${spec.shutdownMs} ms`, undefined);
      await inlet?.close();
    },
    snapshot: () => ({
      name: spec.name,
      state: stateOf[cell.state()],
      restarts: Math.max(0, restarts),
      ...(lastError === undefined ? {} : { lastError }),
      mailbox: cell.mailbox(),
      ...(spec.takes && inlet
        ? { takes: { topic: spec.takes.topic.name, inWork: inlet.inWork(), oldestMs: inlet.oldestMs() } }
        : {}),
      children: [],
    }),
    cells: () => [cell],
  };
};
