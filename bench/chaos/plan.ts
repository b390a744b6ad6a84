/** Which faults come, in which order: all from the seed, so that a run can be repeated and a resumed one goes on with its own. */
import { type Random, randomInt, seededRandom } from "../../runtime/random.ts";
import { type CutKind, cutKinds } from "./link.ts";
import { type ChaosOptions, type RoleName, roleNames } from "./options.ts";

export type ServiceName = "broker" | "redis";

export type Fault = {
  /** From the fault before, or from when all was well. */
  readonly afterMs: number;
  /** How long it stays away before it is started again or healed. */
  readonly awayMs: number;
} & (
  | { readonly kind: "kill"; readonly role: RoleName }
  | { readonly kind: "service"; readonly service: ServiceName }
  | { readonly kind: "cut"; readonly service: ServiceName; readonly how: CutKind; readonly roles: readonly RoleName[] }
);

export type FaultCounts = { readonly kills: number; readonly broker: number; readonly redis: number; readonly cuts: number };

const shortestGapMs = 200;
const killAwayMs = 1_000;
const serviceAwayMs = 4_000;
const cutMinMs = 2_000;
const cutMaxMs = 9_000;

/** Fisher and Yates, "Statistical Tables", as Durstenfeld wrote it. */
const shuffled = <T>(values: readonly T[], random: Random): T[] => {
  const mixed = [...values];
  for (let at = mixed.length - 1; at > 0; at--) {
    const other = randomInt(random, at + 1);
    const [one, two] = [mixed[at], mixed[other]];
    if (one === undefined || two === undefined) continue;
    mixed[at] = two;
    mixed[other] = one;
  }
  return mixed;
};

const pick = <T>(values: readonly [T, ...T[]], random: Random): T => values[randomInt(random, values.length)] ?? values[0];

/** Every second cut is of one process, the others of all: a network may part some from a server and not others. */
const cutOf = (at: number, random: Random) => ({
  kind: "cut" as const,
  service: at % 2 === 0 ? ("broker" as const) : ("redis" as const),
  how: cutKinds[Math.floor(at / 2) % cutKinds.length] ?? "refused",
  roles: randomInt(random, 2) === 0 ? roleNames : [pick(roleNames, random)],
});

/** The rounds, each a list of faults in their order. */
export const planOf = (options: ChaosOptions): readonly (readonly Fault[])[] => {
  const { kills, broker, redis, cuts, roles, perRound, gapMs, seed } = options;
  const random = seededRandom(seed);
  const between = (least: number, most: number) => Math.round(least + random.next() * Math.max(0, most - least));
  const service = (name: ServiceName) => ({ kind: "service" as const, service: name });
  const what = [
    ...Array.from({ length: roles.length === 0 ? 0 : kills }, (_, at) => ({
      kind: "kill" as const,
      role: roles[at % roles.length] ?? "eyes",
    })),
    ...Array.from({ length: broker }, () => service("broker")),
    ...Array.from({ length: redis }, () => service("redis")),
    ...Array.from({ length: cuts }, (_, at) => cutOf(at, random)),
  ];
  const faults = shuffled(what, random).map((each): Fault => {
    const afterMs = between(shortestGapMs, gapMs);
    if (each.kind === "cut") return { ...each, afterMs, awayMs: between(cutMinMs, cutMaxMs) };
    return { ...each, afterMs, awayMs: between(0, each.kind === "kill" ? killAwayMs : serviceAwayMs) };
  });
  return Array.from({ length: Math.ceil(faults.length / perRound) }, (_, at) => faults.slice(at * perRound, (at + 1) * perRound));
};

export const countFaults = (faults: readonly Fault[]): FaultCounts => ({
  kills: faults.filter(({ kind }) => kind === "kill").length,
  broker: faults.filter((fault) => fault.kind === "service" && fault.service === "broker").length,
  redis: faults.filter((fault) => fault.kind === "service" && fault.service === "redis").length,
  cuts: faults.filter(({ kind }) => kind === "cut").length,
});

export const nameOf = (fault: Fault): string => {
  switch (fault.kind) {
    case "kill":
      return fault.role;
    case "service":
      return fault.service;
    case "cut":
      return `${fault.service} ${fault.how} for ${fault.roles.length === 1 ? fault.roles[0] : "all"}`;
  }
};
