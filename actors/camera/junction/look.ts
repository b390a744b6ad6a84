/** How a seed's scene looks: light, weather and the colours of what stands still. */
import { type Random, seededRandom } from "../../../runtime/random.ts";
import { type Rgb, rgb } from "./raster.ts";

export type Look = {
  readonly skyTop: Rgb;
  readonly skyLow: Rgb;
  /** What far things fade into. */
  readonly haze: Rgb;
  readonly asphalt: Rgb;
  readonly bikeLane: Rgb;
  readonly marking: Rgb;
  readonly pavement: Rgb;
  readonly kerb: Rgb;
  readonly grass: Rgb;
  readonly plaza: Rgb;
  readonly facades: readonly Rgb[];
  readonly leaves: readonly Rgb[];
  /** Metres that a shadow falls, east and north, for each metre of height. */
  readonly shadow: readonly [number, number];
  readonly shadowAlpha: number;
  /** Brightness of faces towards the sun, across it and away from it. */
  readonly sun: readonly [number, number];
  readonly contrast: number;
  /** For what is placed by chance: buildings, trees, patches. */
  readonly random: Random;
};

type Weather = {
  readonly sky: readonly [number, number];
  readonly haze: number;
  readonly shadowAlpha: number;
  readonly shadowLength: number;
  readonly contrast: number;
  readonly asphalt: readonly number[];
  readonly grass: readonly number[];
};

const weathers: readonly Weather[] = [
  {
    sky: [0x8fb9dc, 0xdbe7ec],
    haze: 0xd3dfe4,
    shadowAlpha: 0.34,
    shadowLength: 0.75,
    contrast: 0.3,
    asphalt: [0x6a6e74, 0x666a6e, 0x71747a],
    grass: [0x86a862, 0x7da05f, 0x8fae68],
  },
  {
    sky: [0xaebcc8, 0xdde2e4],
    haze: 0xd4dadd,
    shadowAlpha: 0.16,
    shadowLength: 0.2,
    contrast: 0.16,
    asphalt: [0x62676e, 0x5d6268],
    grass: [0x789862, 0x73925c],
  },
  {
    sky: [0x9db6d0, 0xf2dfc4],
    haze: 0xe6d9c6,
    shadowAlpha: 0.32,
    shadowLength: 1.3,
    contrast: 0.36,
    asphalt: [0x706d6b, 0x6b6968],
    grass: [0x98a659, 0x8f9f56],
  },
];

const facades = [0xd9cbb4, 0xc9b8a3, 0xb98f78, 0xc7c4bd, 0xa9aeb3, 0xdcd6c8, 0xb5a58f, 0x9fa8a6];
const leaves = [0x5f8a4a, 0x54803f, 0x6c9450, 0x4d7742];

export const createLook = (seed: number): Look => {
  const random = seededRandom(Math.imul(seed ^ 0x1b873593, 0xcc9e2d51));
  const pick = <T>(list: readonly T[], fallback: T): T => list[Math.floor(random.next() * list.length)] ?? fallback;
  const weather = pick(weathers, weathers[0] as Weather);
  const from = random.next() * 2 * Math.PI;
  const fall = weather.shadowLength * (0.85 + 0.3 * random.next());
  return {
    skyTop: rgb(weather.sky[0]),
    skyLow: rgb(weather.sky[1]),
    haze: rgb(weather.haze),
    asphalt: rgb(pick(weather.asphalt, 0x6a6e74)),
    bikeLane: rgb(pick([0x9a5c4e, 0x93574c, 0x5c7f6a], 0x9a5c4e)),
    marking: rgb(0xecebe4),
    pavement: rgb(pick([0xb9b6ae, 0xb3b2ad, 0xbdb5a8], 0xb9b6ae)),
    kerb: rgb(0xd3d1ca),
    grass: rgb(pick(weather.grass, 0x86a862)),
    plaza: rgb(pick([0xc6beb0, 0xbfbab2], 0xc6beb0)),
    facades: facades.map(rgb),
    leaves: leaves.map(rgb),
    shadow: [-Math.cos(from) * fall, -Math.sin(from) * fall],
    shadowAlpha: weather.shadowAlpha,
    sun: [Math.cos(from), Math.sin(from)],
    contrast: weather.contrast,
    random,
  };
};

/** Brightness of an upright face whose outward normal points to `angle`. */
export const faceLight = (look: Look, angle: number): number =>
  1 - look.contrast * 0.62 + look.contrast * 0.55 * (look.sun[0] * Math.cos(angle) + look.sun[1] * Math.sin(angle));
