/** The whole system in this process, with many simulated cameras and one viewer, and a way to kill any of its actors. */
import { join } from "node:path";
import { loadConfig } from "../../config/load.ts";
import { startProcess } from "../../edge/system.ts";
import { systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { seededRandom } from "../../runtime/random.ts";
import type { SystemNode } from "../../runtime/supervisor/node.ts";
import { waitFor } from "./wait.ts";

export type PlantOptions = {
  readonly dataDir: string;
  readonly cameras: number;
  readonly fps: number;
  readonly seed: number;
};

export type Plant = {
  readonly cameraIds: readonly number[];
  readonly tree: () => SystemNode;
  readonly stages: () => readonly string[];
  readonly kill: (path: string) => void;
  /** Detection results that the viewer has heard, by camera. */
  readonly heard: ReadonlyMap<number, number>;
  /** Ids of the verdicts that the viewer has heard, as often as it heard them. */
  readonly updateIds: readonly string[];
  /** Is called with each detection result and its age in ms. */
  listen: ((cameraId: number, ageMs: number) => void) | null;
  /** Why the process would have ended; null while it goes on. */
  readonly fatal: () => string | null;
  /** The sum of those series of a metric whose labels match; null where there are none. */
  readonly metric: (name: string, labels?: RegExp) => Promise<number | null>;
  /** Removes every camera and waits until all that was begun is finished. */
  readonly quiesce: (limitMs: number) => Promise<void>;
  readonly stop: () => Promise<void>;
};

const configOf = ({ cameras, fps, seed }: PlantOptions): string => {
  const lines = Array.from({ length: cameras }, (_, index) => {
    const id = index + 1;
    return `  - { id: ${id}, name: c${id}, url: "sim://junction?seed=${seed * 1_000 + id}&fps=${fps}&render=0" }`;
  });
  return `cameras:${cameras === 0 ? " []" : `\n${lines.join("\n")}`}\ndetector: { workers: 1 }\nserver: { port: 0 }\n`;
};

export const nodeAt = (root: SystemNode, path: string): SystemNode | null =>
  path
    .split("/")
    .slice(1)
    .reduce<SystemNode | null>((node, name) => node?.children.find((child) => child.name === name) ?? null, root);

const isIdle = ({ mailbox, takes, children }: SystemNode): boolean =>
  (mailbox?.depth ?? 0) === 0 && (takes?.inWork ?? 0) === 0 && children.every(isIdle);

type Heard = { readonly type: string; readonly data: Readonly<Record<string, unknown>> };

export const startPlant = async (options: PlantOptions): Promise<Plant> => {
  const file = join(options.dataDir, "drill.yaml");
  await Bun.write(file, configOf(options));
  const loaded = loadConfig({ config: [file], set: [`data.dir=${join(options.dataDir, "data")}`], environment: {} });
  let fatal: string | null = null;
  const running = await startProcess(loaded, {
    clock: systemClock,
    random: seededRandom(options.seed),
    log: silentLog,
    fatal: (_status, reason) => {
      fatal ??= reason;
    },
  });
  const { tree, url } = running;
  const cameraIds = Array.from({ length: options.cameras }, (_, index) => index + 1);
  const heard = new Map(cameraIds.map((id) => [id, 0]));
  const updateIds: string[] = [];

  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`);
  const plant: Plant = {
    cameraIds,
    tree: tree.snapshot,
    stages: tree.stages,
    kill(path) {
      if (!tree.fail(path, "drill")) throw new Error(`there is no ${path} to kill`);
    },
    heard,
    updateIds,
    listen: null,
    fatal: () => fatal,
    async metric(name, labels = /^/) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const series = [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, "gm"))];
      const values = series.filter(([, found = ""]) => labels.test(found)).map(([, , value]) => Number(value));
      return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
    },
    async quiesce(limitMs) {
      await Promise.all(cameraIds.map((id) => fetch(`${url}/api/cameras/${id}`, { method: "DELETE" })));
      await waitFor(limitMs, "the cameras to be gone and the work to be done", () => {
        const root = tree.snapshot();
        return nodeAt(root, "vedette/eyes")?.children.length === 0 && isIdle(root);
      });
      // Of a process that has just begun only the bus can tell what is still to be taken.
      await waitFor(limitMs, "the topics to be worked through", async () => (await plant.metric("kafka_consumer_lag")) === 0);
    },
    async stop() {
      socket.close();
      await running.stop("drill");
    },
  };
  socket.addEventListener("message", ({ data }) => {
    const { type, data: body } = JSON.parse(String(data)) as Heard; // the server's own word
    if (type === "detection_result") {
      const cameraId = Number(body.cameraId);
      heard.set(cameraId, (heard.get(cameraId) ?? 0) + 1);
      plant.listen?.(cameraId, systemClock.nowMs() - Number(body.capturedAt));
    } else if (type === "risk_update") updateIds.push(String(body.id));
  });
  await waitFor(20_000, "the viewer to be connected", () => socket.readyState === WebSocket.OPEN);
  return plant;
};
