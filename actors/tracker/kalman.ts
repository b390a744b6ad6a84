/**
 * The constant-velocity Kalman filter of a box. ByteTrack's and SORT's noise is diagonal and their motion model couples a
 * coordinate with its own rate only, so their eight-state filter is exactly four filters of two states; so it is written here.
 *
 * Time is real (seconds of media time), not a frame count: a camera at 2 fps moves objects twelve times as far between frames
 * as one at 25 fps. The process noise is that of white acceleration in continuous time (Bar-Shalom, Li, Kirubarajan,
 * "Estimation with Applications to Tracking and Navigation", 2001, section 6.2.2): its effect does not depend on how an
 * interval is cut into frames.
 */
import type { Box } from "../../protocols/ids.ts";

/** One coordinate: its value, its rate per second, and their covariance. Changed in place. */
type Axis = { value: number; rate: number; valueVar: number; cov: number; rateVar: number };

export type BoxFilter = { readonly x: Axis; readonly y: Axis; readonly width: Axis; readonly height: Axis };

// All spreads are in box sizes (the square root of the area), so that they do not depend on the resolution.
/** Of a measured coordinate; ByteTrack's 1/20. */
const MEASURE_SPREAD = 1 / 20;
/** Of a newcomer's speed, sizes per second: a car of 2.8 m size (4.5 m × 1.8 m) at 11 m/s, one sigma. */
const NEW_RATE_SPREAD = 4;
/** Of the change of speed in one second, sizes per second: hard braking (6 m/s²) is 2, common driving below 1. */
const RATE_CHANGE_SPREAD = 1.5;
/** Of the growth of a side, per second: objects approach or turn. */
const GROWTH_SPREAD = 0.5;
/** A prediction over a longer gap says nothing any more; it only widens the uncertainty without bound. */
const PREDICT_MAX_S = 5;

export const sizeOf = (width: number, height: number): number => Math.sqrt(Math.max(1, width) * Math.max(1, height));

const square = (value: number): number => value * value;

const axis = (value: number, valueSpread: number, rateSpread: number): Axis => ({
  value,
  rate: 0,
  valueVar: square(valueSpread),
  cov: 0,
  rateVar: square(rateSpread),
});

export const startFilter = ([x1, y1, x2, y2]: Box): BoxFilter => {
  const size = sizeOf(x2 - x1, y2 - y1);
  const spread = MEASURE_SPREAD * size;
  return {
    x: axis((x1 + x2) / 2, spread, NEW_RATE_SPREAD * size),
    y: axis((y1 + y2) / 2, spread, NEW_RATE_SPREAD * size),
    width: axis(x2 - x1, spread, GROWTH_SPREAD * size),
    height: axis(y2 - y1, spread, GROWTH_SPREAD * size),
  };
};

const predictAxis = (a: Axis, seconds: number, rateChangeVar: number): void => {
  const squared = square(seconds);
  a.value += a.rate * seconds;
  a.valueVar += 2 * seconds * a.cov + squared * a.rateVar + (rateChangeVar * squared * seconds) / 3;
  a.cov += seconds * a.rateVar + (rateChangeVar * squared) / 2;
  a.rateVar += rateChangeVar * seconds;
};

const correctAxis = (a: Axis, measured: number, measureVar: number): void => {
  const total = a.valueVar + measureVar;
  const gain = a.valueVar / total;
  const rateGain = a.cov / total;
  const surprise = measured - a.value;
  a.value += gain * surprise;
  a.rate += rateGain * surprise;
  a.rateVar -= rateGain * a.cov;
  a.cov *= 1 - gain;
  a.valueVar *= 1 - gain;
};

/** Moves the filter on by `seconds`. */
export const predict = (filter: BoxFilter, seconds: number): void => {
  const step = Math.min(PREDICT_MAX_S, Math.max(0, seconds));
  const size = sizeOf(filter.width.value, filter.height.value);
  const rateChangeVar = square(RATE_CHANGE_SPREAD * size);
  const growthVar = square(GROWTH_SPREAD * size);
  predictAxis(filter.x, step, rateChangeVar);
  predictAxis(filter.y, step, rateChangeVar);
  predictAxis(filter.width, step, growthVar);
  predictAxis(filter.height, step, growthVar);
  filter.width.value = Math.max(1, filter.width.value);
  filter.height.value = Math.max(1, filter.height.value);
};

export const correct = (filter: BoxFilter, [x1, y1, x2, y2]: Box): void => {
  const measureVar = square(MEASURE_SPREAD * sizeOf(x2 - x1, y2 - y1));
  correctAxis(filter.x, (x1 + x2) / 2, measureVar);
  correctAxis(filter.y, (y1 + y2) / 2, measureVar);
  correctAxis(filter.width, x2 - x1, measureVar);
  correctAxis(filter.height, y2 - y1, measureVar);
};

/** Sides that went on growing or shrinking unseen would soon be absurd. */
export const holdSides = (filter: BoxFilter): void => {
  filter.width.rate = 0;
  filter.height.rate = 0;
};

export const boxOf = ({ x, y, width, height }: BoxFilter): Box => [
  x.value - width.value / 2,
  y.value - height.value / 2,
  x.value + width.value / 2,
  y.value + height.value / 2,
];

/**
 * Squared Mahalanobis distance of a measured centre from the predicted one: chi-square with two degrees of freedom. `size`: of
 * the filter's box.
 */
export const centreSurprise = (filter: BoxFilter, size: number, centreX: number, centreY: number): number => {
  const measureVar = square(MEASURE_SPREAD * size);
  return (
    square(centreX - filter.x.value) / (filter.x.valueVar + measureVar) +
    square(centreY - filter.y.value) / (filter.y.valueVar + measureVar)
  );
};
