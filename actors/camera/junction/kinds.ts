/** The kinds of road user: what a detector calls them, their size and how they are driven. Metres, seconds. */
import { type Random, randomInt } from "../../../runtime/random.ts";
import { type Driver, treiber2000 } from "./driver.ts";

export type ObjectClass = "car" | "truck" | "bus" | "motorcycle" | "bicycle" | "person";
export type Kind = "car" | "van" | "lorry" | "bus" | "motorcycle" | "bicycle" | "person";

type KindSpec = {
  readonly class: ObjectClass;
  readonly lengthM: readonly [number, number];
  readonly widthM: number;
  readonly heightM: readonly [number, number];
  readonly freeSpeed: readonly [number, number];
  readonly accel: number;
  readonly minGapM: number;
};

// The paper's 0.73 m/s² is a motorway's; cars start more briskly at a light, lorries and buses do not.
const brisk = 1.3;
const gap = treiber2000.minGapM;

const specs: Readonly<Record<Exclude<Kind, "person">, KindSpec>> = {
  car: { class: "car", lengthM: [3.9, 4.7], widthM: 1.8, heightM: [1.42, 1.6], freeSpeed: [8, 10.5], accel: brisk, minGapM: gap },
  van: { class: "car", lengthM: [4.8, 5.4], widthM: 1.95, heightM: [1.95, 2.2], freeSpeed: [8, 10], accel: brisk, minGapM: gap },
  lorry: {
    class: "truck",
    lengthM: [7.2, 8.8],
    widthM: 2.4,
    heightM: [3, 3.5],
    freeSpeed: [7.5, 9],
    accel: treiber2000.accel,
    minGapM: gap,
  },
  bus: {
    class: "bus",
    lengthM: [11.2, 11.9],
    widthM: 2.5,
    heightM: [3, 3.2],
    freeSpeed: [7.5, 9],
    accel: treiber2000.accel,
    minGapM: gap,
  },
  motorcycle: {
    class: "motorcycle",
    lengthM: [2, 2.2],
    widthM: 0.75,
    heightM: [1.5, 1.65],
    freeSpeed: [9, 11],
    accel: 1.6,
    minGapM: gap,
  },
  bicycle: {
    class: "bicycle",
    lengthM: [1.7, 1.8],
    widthM: 0.55,
    heightM: [1.65, 1.8],
    freeSpeed: [4, 5.4],
    accel: 0.9,
    minGapM: 1,
  },
};

export type Build = {
  readonly kind: Kind;
  readonly class: ObjectClass;
  readonly lengthM: number;
  readonly widthM: number;
  readonly heightM: number;
  readonly colour: number;
};

const paints = [
  0xe9eaec, 0xf4f4f2, 0xb9bec4, 0x8a9097, 0x3a3f46, 0x22262b, 0xa32a2c, 0x27508f, 0x4c7fae, 0x2f5f54, 0xc8a24a, 0x6d3b35,
];
const vanPaints = [0xf1f1ef, 0xe4e6e8, 0x3f6fa3, 0xd8b23f, 0x9aa3aa];
const lorryPaints = [0xf0efe9, 0x2e6aa8, 0xc4502f, 0x3e7d5a, 0xd9a53a];
const busPaints = [0xd8a52a, 0xb8322f, 0x2c6ca3];
const bikePaints = [0x2b2e33, 0x7c2f2c, 0x2c5a80, 0x3d6b45];
/** Clothes of riders and of people on foot. */
const clothes = [0xc74b3a, 0x2f5d8c, 0x3c3f46, 0xe0b13e, 0x5a7f4f, 0xd9d5cb, 0x7a4f7c, 0x2a8c8c, 0x9a5b3a, 0x4b5563];

const pick = (random: Random, list: readonly number[]): number => list[randomInt(random, list.length)] ?? 0;
const between = (random: Random, [from, to]: readonly [number, number]): number => from + (to - from) * random.next();

const paintsOf: Readonly<Record<Kind, readonly number[]>> = {
  car: paints,
  van: vanPaints,
  lorry: lorryPaints,
  bus: busPaints,
  motorcycle: bikePaints,
  bicycle: clothes,
  person: clothes,
};

export const buildVehicle = (random: Random, kind: Exclude<Kind, "person">): Build => {
  const spec = specs[kind];
  return {
    kind,
    class: spec.class,
    lengthM: between(random, spec.lengthM),
    widthM: spec.widthM,
    heightM: between(random, spec.heightM),
    colour: pick(random, paintsOf[kind]),
  };
};

export const buildPerson = (random: Random): Build => ({
  kind: "person",
  class: "person",
  lengthM: 0.45,
  widthM: 0.5,
  heightM: 1.58 + 0.28 * random.next(),
  colour: pick(random, clothes),
});

/** A driver of that kind; people differ by a fifth in the distance they keep. */
export const buildDriver = (random: Random, kind: Exclude<Kind, "person">): Driver => {
  const spec = specs[kind];
  return {
    freeSpeed: between(random, spec.freeSpeed),
    timeGapS: treiber2000.timeGapS * (0.8 + 0.4 * random.next()),
    minGapM: spec.minGapM,
    accel: spec.accel,
    decel: treiber2000.decel,
  };
};

const mixture: readonly (readonly [Exclude<Kind, "person">, number])[] = [
  ["car", 0.7],
  ["van", 0.1],
  ["lorry", 0.08],
  ["motorcycle", 0.08],
  ["bus", 0.04],
];

export const pickKind = (random: Random): Exclude<Kind, "person"> => {
  let rest = random.next();
  for (const [kind, share] of mixture) {
    rest -= share;
    if (rest < 0) return kind;
  }
  return "car";
};
