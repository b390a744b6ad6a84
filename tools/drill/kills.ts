/** Kills actors one after another, and keeps the account of what must have restarted because of it: that, and nothing else. */
import type { SystemNode } from "../../runtime/supervisor/node.ts";
import { nodeAt, type Plant } from "./plant.ts";
import { waitFor } from "./wait.ts";

/** Directly under the root; together no more than its tolerance of five restarts a minute allows. */
export const rootStages = ["detector", "task-generator", "scheduler", "aggregator", "live"].map((name) => `vedette/${name}`);

export const cameraPath = (id: number): string => `vedette/eyes/camera-${id}`;
export const lanePath = (id: number): string => `vedette/lanes/lane-${id}`;
export const trackerPath = (id: number): string => `${lanePath(id)}/tracker`;
export const clustererPath = (id: number): string => `${lanePath(id)}/clusterer`;

/** The camera that an actor of an eye or a lane belongs to. */
export const cameraOf = (path: string): number | null => {
  const match = /\/(?:camera|lane)-(\d+)/.exec(path);
  return match ? Number(match[1]) : null;
};

/** The lane's supervisor is rest_for_one: a tracker takes its clusterer with it. */
const affectedBy = (path: string): string[] =>
  path.endsWith("/tracker") ? [path, path.replace(/tracker$/, "clusterer")] : [path];

const recoveryMs = 30_000;

export type Kills = {
  /** Kills these at once, and waits until all run again and every other camera was heard of `more` times since. */
  readonly kill: (paths: readonly string[], more?: number) => Promise<void>;
  /** Kills a tracker until its lane gives up and the supervisor above restarts the whole lane. */
  readonly exhaustLane: (id: number) => Promise<void>;
  readonly count: () => number;
  /** What restarted without a reason, or did not restart, or does not run. */
  readonly wrong: () => string[];
};

export const createKills = (plant: Plant): Kills => {
  const due = new Map<string, number>();
  let count = 0;
  const expectRestart = (path: string) => void due.set(path, (due.get(path) ?? 0) + 1);

  const strike = async (paths: readonly string[]): Promise<void> => {
    const affected = paths.flatMap(affectedBy);
    for (const path of affected) expectRestart(path);
    for (const path of paths) plant.kill(path);
    count += paths.length;
    await waitFor(recoveryMs, `${paths.join(", ")} to run again`, () => {
      const root = plant.tree();
      return affected.every((path) => {
        const node = nodeAt(root, path);
        return node?.state === "running" && node.restarts >= (due.get(path) ?? 0);
      });
    });
  };

  return {
    async kill(paths, more = 1) {
      const touched = new Set(paths.map(cameraOf));
      const others = plant.cameraIds.filter((id) => !touched.has(id));
      const before = new Map(plant.heard);
      const silent = () => others.filter((id) => (plant.heard.get(id) ?? 0) < (before.get(id) ?? 0) + more);
      await strike(paths);
      await waitFor(
        recoveryMs,
        () => `${more} results of other cameras: silent are ${silent().join(", ")}`,
        () => silent().length === 0,
      );
    },

    async exhaustLane(id) {
      for (let kill = 0; kill < 5; kill++) await strike([trackerPath(id)]);
      expectRestart(lanePath(id));
      await strike([trackerPath(id)]);
    },

    count: () => count,

    wrong() {
      const wrong: string[] = [];
      const visit = (node: SystemNode, path: string) => {
        if (node.state !== "running") wrong.push(`${path} is ${node.state}`);
        if (node.restarts !== (due.get(path) ?? 0))
          wrong.push(`${path}: ${node.restarts} restarts, ${due.get(path) ?? 0} were due`);
        for (const child of node.children) visit(child, `${path}/${child.name}`);
      };
      visit(plant.tree(), "vedette");
      return wrong;
    },
  };
};
