/** The five roles as processes of their own, each behind links of its own to broker and Redis. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { delay, systemClock } from "../../runtime/clock.ts";
import { hasEnded, killChild, startChild, stopChild } from "./children.ts";
import type { Link } from "./link.ts";
import { type RoleName, roleNames } from "./options.ts";

/** Shorter than the defaults, so that a member that died is missed sooner: `docs/chaos.md` says which. */
export const groupTimes = { sessionTimeoutMs: 6_000, heartbeatMs: 1_000 } as const;

export type ProcessesOptions = {
  readonly directory: string;
  readonly cameras: number;
  readonly fps: number;
  readonly seed: number;
  readonly edgePort: number;
  /** As it calls itself in its metadata. */
  readonly brokerAddress: string;
  readonly llmUrl: string;
  readonly links: Readonly<Record<RoleName, { readonly broker: Link; readonly redis: Link }>>;
};

export type Unasked = { readonly role: RoleName; readonly status: string; readonly says: string };

export type Processes = {
  readonly start: (role: RoleName) => void;
  readonly kill: (role: RoleName) => Promise<void>;
  /** Its exit status; null when it did not end within its time. */
  readonly stop: (role: RoleName) => Promise<number | null>;
  readonly isRunning: (role: RoleName) => boolean;
  /** Ends that nobody asked for; such a process is started again. */
  readonly unasked: readonly Unasked[];
  readonly logFile: (role: RoleName) => string;
};

const program = join(import.meta.dirname, "../../edge/main.ts");
const stopLimitMs = 12_000;
const restartMs = 1_000;
const keyName = "VEDETTE_CHAOS_KEY";

const configOf = (role: RoleName, options: ProcessesOptions) => {
  const { directory, cameras, fps, seed, edgePort, brokerAddress, llmUrl, links } = options;
  return {
    cameras: Array.from({ length: cameras }, (_, at) => ({
      id: at + 1,
      name: `c${at + 1}`,
      url: `sim://junction?seed=${seed * 1_000 + at + 1}&fps=${fps}&render=0`,
    })),
    detector: { workers: 1 },
    bus: "kafka",
    kafka: {
      bootstrapServers: [brokerAddress],
      addressMap: { [brokerAddress]: links[role].broker.address },
      ...groupTimes,
    },
    store: { redis: `redis://${links[role].redis.address}/0`, publish: false },
    llm: {
      minKeys: 1,
      groups: [{ name: "sim", baseUrl: `${llmUrl}/v1`, model: "sim-vl", keys: [{ id: "key-1", env: keyName }] }],
    },
    // The judge knows the cooldown alone, and the more calls the better.
    tasks: { changeLeast: 0, pictureBits: -1, maxAgeMs: 600_000 },
    server: { port: role === "edge" ? edgePort : 0 },
    data: { dir: join(directory, "data", role) },
  };
};

const lastLines = (file: string): string => readFileSync(file, "utf8").trim().split("\n").slice(-4).join("\n    ");

export const createProcesses = (options: ProcessesOptions): Processes => {
  const { directory } = options;
  const children = new Map<RoleName, ChildProcess>();
  const unasked: Unasked[] = [];
  mkdirSync(join(directory, "logs"), { recursive: true });
  const logFile = (role: RoleName) => join(directory, "logs", `${role}.log`);
  const configFile = (role: RoleName) => join(directory, `${role}.yaml`);
  for (const role of roleNames) writeFileSync(configFile(role), JSON.stringify(configOf(role, options), null, 2)); // JSON is YAML

  const start = (role: RoleName): void => {
    const args = [program, "--roles", role, "--config", configFile(role)];
    const child = startChild(process.execPath, args, logFile(role), { [keyName]: "chaos-key-1" });
    children.set(role, child);
    child.once("exit", (status, signal) => {
      if (children.get(role) !== child) return;
      unasked.push({ role, status: String(status ?? signal), says: lastLines(logFile(role)) });
      void delay(systemClock, restartMs).then(() => {
        if (children.get(role) === child) start(role);
      });
    });
  };
  const take = (role: RoleName): ChildProcess | undefined => {
    const child = children.get(role);
    children.delete(role); // from here on its end is asked for
    return child;
  };

  return {
    start,
    async kill(role) {
      const child = take(role);
      if (child) await killChild(child);
    },
    async stop(role) {
      const child = take(role);
      return child ? await stopChild(child, stopLimitMs) : 0;
    },
    isRunning(role) {
      const child = children.get(role);
      return child !== undefined && !hasEnded(child);
    },
    unasked,
    logFile,
  };
};
