/** What `bun run bench chaos` is asked to do. */
import { parseArgs } from "node:util";

export const roleNames = ["eyes", "task-generator", "scheduler", "aggregator", "edge"] as const;
export type RoleName = (typeof roleNames)[number];

export type ChaosOptions = {
  readonly cameras: number;
  readonly fps: number;
  readonly seed: number;
  /** Roles that are killed; all of them run. */
  readonly roles: readonly RoleName[];
  readonly kills: number;
  readonly broker: number;
  readonly redis: number;
  readonly cuts: number;
  /** Faults of one round, after which everything must come to rest. */
  readonly perRound: number;
  /** From one fault to the next, at most. */
  readonly gapMs: number;
};

export type ChaosCommand = ChaosOptions & {
  readonly report: string | null;
  /** Where the state of the run is kept; it goes on from there when the file is there. */
  readonly state: string | null;
  readonly help: boolean;
};

export const usage = `bun run bench chaos [--kills 100] [--broker 10] [--redis 10] [--cuts 10] [--roles ${roleNames.join(",")}]
                    [--cameras 50] [--fps 1] [--seed 1] [--round 13] [--gap 5s] [--report FILE] [--resume FILE]

Kills every role of a split system on a real Kafka and Redis by kill -9, the servers too, and cuts the network between them.
After each round of faults everything must come to rest, and the topics, the store, the model's calls and what a client was
shown are held against one another. See docs/chaos.md.

  --kills N       kills of processes, shared among the roles
  --broker N      kills of the Kafka broker
  --redis N       kills of the Redis
  --cuts N        cuts between processes and one of the two: refused, frozen or swallowed for some seconds
  --roles LIST    the roles that are killed (all run)
  --round N       faults from one rest to the next
  --gap TIME      longest time from one fault to the next
  --report FILE   writes the figures as JSON
  --resume FILE   keeps the state there after each round, and goes on from it when it is there; other options are taken from it
`;

const options = {
  kills: { type: "string", default: "100" },
  broker: { type: "string", default: "10" },
  redis: { type: "string", default: "10" },
  cuts: { type: "string", default: "10" },
  roles: { type: "string", default: roleNames.join(",") },
  cameras: { type: "string", default: "50" },
  fps: { type: "string", default: "1" },
  seed: { type: "string", default: "1" },
  round: { type: "string", default: "13" },
  gap: { type: "string", default: "5s" },
  report: { type: "string" },
  resume: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

const number = (name: string, text: string, least: number, most: number): number => {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= least && value <= most) return value;
  throw new Error(`--${name} takes a number from ${least} to ${most}, not ${JSON.stringify(text)}`);
};

const milliseconds = (name: string, text: string): number => {
  const [, value, unit] = /^(\d+(?:\.\d+)?)(ms|s)$/.exec(text) ?? [];
  if (value === undefined) throw new Error(`--${name} takes a time such as 5s or 500ms, not ${JSON.stringify(text)}`);
  return Number(value) * (unit === "s" ? 1_000 : 1);
};

const rolesOf = (text: string): RoleName[] =>
  text.split(",").map((name) => {
    const role = roleNames.find((each) => each === name.trim());
    if (role === undefined)
      throw new Error(`--roles: there is no role ${JSON.stringify(name)}; there are ${roleNames.join(", ")}`);
    return role;
  });

export const parseChaos = (args: readonly string[]): ChaosCommand => {
  const { values } = parseArgs({ args: [...args], options });
  const count = (name: "kills" | "broker" | "redis" | "cuts") => number(name, values[name], 0, 10_000);
  return {
    kills: count("kills"),
    broker: count("broker"),
    redis: count("redis"),
    cuts: count("cuts"),
    roles: rolesOf(values.roles),
    cameras: number("cameras", values.cameras, 1, 1_000),
    fps: number("fps", values.fps, 0.1, 30),
    seed: number("seed", values.seed, 0, 4_294_967_295),
    perRound: number("round", values.round, 1, 1_000),
    gapMs: milliseconds("gap", values.gap),
    report: values.report ?? null,
    state: values.resume ?? null,
    help: values.help,
  };
};
