/**
 * Finds how a camera looks at the road from what it sees: people and cars have known sizes, so the sizes of their boxes say how
 * high the camera hangs and how far it looks down. The idea is Hoiem, Efros and Hebert's ("Putting Objects in Perspective",
 * IJCV 2008); here whole boxes are compared, since a car's box shows its length, width or height by its heading.
 */
import { boxSidesOf, type CameraModel, groundOf, usualSize } from "./ground.ts";

/** What is learned from: a whole, moving car, or a person. */
export type SizeSample = {
  readonly class: "car" | "person";
  readonly u: number;
  readonly v: number;
  readonly width: number;
  readonly height: number;
  /** Displacement in the picture, for the heading; zero for people, whose width says nothing. */
  readonly du: number;
  readonly dv: number;
};

export type GroundFit = {
  model: CameraModel | null;
  /** By region of the picture and class: what is seen often in one place must not outweigh the rest. */
  readonly samples: Map<number, SizeSample[]>;
  taken: number;
  fitAt: number;
};

/** Focal length in picture widths: a view 58° wide, between the usual lenses' 45° and 80°. The error scales distances in depth only. */
const FOCAL_WIDTHS = 0.9;
const COLUMNS = 8;
const ROWS = 6;
const SAMPLES_PER_CELL = 3;
/** Fewer samples fit anything. */
const SAMPLES_MIN = 12;
/** Beyond this, a fit changes little. */
const REFIT_EVERY = 2000;
/** A misjudged class or a child must not bend the fit: the loss of one side is bounded (a factor of 1.35). */
const LOSS_MAX = 0.3;
const PITCH_MIN = (3 * Math.PI) / 180;
const PITCH_MAX = (85 * Math.PI) / 180;
const HEIGHT_MIN_M = 2.5;
const HEIGHT_MAX_M = 80;
/** Where sizes leave the pitch open (all in one row of the picture), a roadside mast's 25° decides. */
const PITCH_USUAL = (25 * Math.PI) / 180;
const PRIOR_WEIGHT = 0.02;

export const startFit = (): GroundFit => ({ model: null, samples: new Map(), taken: 0, fitAt: SAMPLES_MIN });

/** Takes a sample; fits anew when there are twice as many as at the last fit. The newest samples of a region stay. */
export const learnSize = (fit: GroundFit, sample: SizeSample, imageWidth: number, imageHeight: number): void => {
  const column = Math.min(COLUMNS - 1, Math.max(0, Math.floor((sample.u / imageWidth) * COLUMNS)));
  const row = Math.min(ROWS - 1, Math.max(0, Math.floor((sample.v / imageHeight) * ROWS)));
  const cell = (row * COLUMNS + column) * 2 + (sample.class === "car" ? 1 : 0);
  const there = fit.samples.get(cell);
  if (there) {
    there.push(sample);
    if (there.length > SAMPLES_PER_CELL) there.shift();
  } else fit.samples.set(cell, [sample]);
  fit.taken += 1;
  if (fit.taken < fit.fitAt) return;
  fit.fitAt = fit.taken + Math.min(fit.taken, REFIT_EVERY);
  fit.model = fitCamera([...fit.samples.values()].flat(), imageWidth, imageHeight, fit.model);
};

const fitCamera = (
  samples: readonly SizeSample[],
  imageWidth: number,
  imageHeight: number,
  former: CameraModel | null,
): CameraModel => {
  const at = (pitch: number, heightM: number): CameraModel => ({
    centreU: imageWidth / 2,
    centreV: imageHeight / 2,
    focalPx: FOCAL_WIDTHS * imageWidth,
    pitch: Math.min(PITCH_MAX, Math.max(PITCH_MIN, pitch)),
    heightM: Math.min(HEIGHT_MAX_M, Math.max(HEIGHT_MIN_M, heightM)),
  });
  let best = former ?? at(PITCH_USUAL, 8);
  let least = loss(best, samples);
  const consider = (model: CameraModel) => {
    const value = loss(model, samples);
    if (value >= least) return;
    best = model;
    least = value;
  };
  if (!former) {
    for (let pitch = 6; pitch <= 78; pitch += 8) {
      for (let heightM = 4; heightM <= 40; heightM *= 1.3) consider(at((pitch * Math.PI) / 180, heightM));
    }
  }
  // Pattern search: steps in pitch and in log height, halved when none helps.
  for (let step = 0.07, turns = 0; step > 0.002 && turns < 60; turns++) {
    const before = least;
    for (const [pitchStep, heightStep] of directions) {
      consider(at(best.pitch + pitchStep * step, best.heightM * Math.exp(heightStep * step * 2)));
    }
    if (least === before) step /= 2;
  }
  return best;
};

const directions = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
  [1, 1],
  [-1, -1],
  [1, -1],
  [-1, 1],
] as const;

/** Of what did not move. */
const ahead = { x: 1, y: 0 };

/** Logarithms cost as much as all the rest; those beyond the bound need not be known. */
const RATIO_MAX = Math.exp(LOSS_MAX);
const sideLoss = (ratio: number): number => (ratio < RATIO_MAX && ratio * RATIO_MAX > 1 ? Math.abs(Math.log(ratio)) : LOSS_MAX);

/** Mean bounded error of the logarithm of the sides. */
const loss = (model: CameraModel, samples: readonly SizeSample[]): number => {
  const ground = groundOf(model);
  const boxSides = boxSidesOf(model);
  let sum = 0;
  let count = 0;
  for (const sample of samples) {
    const size = usualSize(sample.class);
    const at = ground.place(sample.u, sample.v, size.heightM / 2);
    const to = ground.place(sample.u + sample.du, sample.v + sample.dv, size.heightM / 2);
    const [x, y] = [to.x - at.x, to.y - at.y];
    const way = Math.sqrt(x * x + y * y);
    const [width, height] = boxSides(at, way > 0 ? { x: x / way, y: y / way } : ahead, size);
    sum += sideLoss(sample.height / height);
    count += 1;
    if (sample.class === "person") continue;
    sum += sideLoss(sample.width / width);
    count += 1;
  }
  return count === 0 ? 0 : sum / count + PRIOR_WEIGHT * Math.abs(Math.log(model.pitch / PITCH_USUAL));
};
