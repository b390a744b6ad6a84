/**
 * How a driver chooses speed: the Intelligent Driver Model of Treiber, Hennecke and Helbing, "Congested traffic states
 * in empirical observations and microscopic simulations", Physical Review E 62 (2000) 1805. Metres, seconds.
 */

/** The published parameters (table I of the paper), but for the free speed, which is a town's. */
export const treiber2000 = { timeGapS: 1.6, minGapM: 2, accel: 0.73, decel: 1.67, exponent: 4 } as const;

export type Driver = {
  readonly freeSpeed: number;
  readonly timeGapS: number;
  readonly minGapM: number;
  readonly accel: number;
  readonly decel: number;
};

const emergencyDecel = 8;

/** The share of acceleration that a vehicle `gapM` ahead at `leaderSpeed` takes away: (s* / s)². */
export const interaction = (driver: Driver, speed: number, gapM: number, leaderSpeed: number): number => {
  const approach = (speed * (speed - leaderSpeed)) / (2 * Math.sqrt(driver.accel * driver.decel));
  const wanted = driver.minGapM + Math.max(0, speed * driver.timeGapS + approach);
  const ratio = wanted / Math.max(gapM, 0.1);
  return ratio * ratio;
};

/** Acceleration at `speed` towards `freeSpeed` under the strongest `interaction` met. */
export const acceleration = (driver: Driver, speed: number, freeSpeed: number, strongest: number): number => {
  const ratio = speed / Math.max(freeSpeed, 0.1);
  // The published term brakes without bound above the free speed; a driver who finds a lower limit brakes comfortably.
  const free = Math.max(driver.accel * (1 - ratio * ratio * ratio * ratio), -driver.decel);
  return Math.max(-emergencyDecel, free - driver.accel * strongest);
};

/** Seconds until `distanceM` is covered, accelerating from `speed` up to `freeSpeed`. */
export const travelS = (distanceM: number, speed: number, accel: number, freeSpeed: number): number => {
  if (distanceM <= 0) return 0;
  if (speed >= freeSpeed) return distanceM / speed;
  const rampM = (freeSpeed * freeSpeed - speed * speed) / (2 * accel);
  if (distanceM <= rampM) return (Math.sqrt(speed * speed + 2 * accel * distanceM) - speed) / accel;
  return (freeSpeed - speed) / accel + (distanceM - rampM) / freeSpeed;
};

/** The speed from which a comfortable braking reaches `limit` within `distanceM`. */
export const approachSpeed = (limit: number, distanceM: number, decel: number): number =>
  distanceM <= 0 ? limit : Math.sqrt(limit * limit + 2 * decel * distanceM);
