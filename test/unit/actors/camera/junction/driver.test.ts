import { describe, expect, test } from "bun:test";
import {
  acceleration,
  approachSpeed,
  type Driver,
  interaction,
  travelS,
  treiber2000,
} from "../../../../../actors/camera/junction/driver.ts";

const driver: Driver = { ...treiber2000, freeSpeed: 10 };

/** Follows a leader at constant speed for `seconds`; the gap left at the end, or at the first touch. */
const follow = (gapM: number, speed: number, leaderSpeed: number, seconds: number): { gapM: number; speed: number } => {
  let gap = gapM;
  let own = speed;
  for (let at = 0; at < seconds && gap > 0; at += 0.05) {
    const next = Math.max(
      0,
      own + 0.05 * acceleration(driver, own, driver.freeSpeed, interaction(driver, own, gap, leaderSpeed)),
    );
    gap += 0.05 * (leaderSpeed - (own + next) / 2);
    own = next;
  }
  return { gapM: gap, speed: own };
};

describe("the driver model", () => {
  test("settles at the paper's equilibrium gap (s0 + vT) / sqrt(1 - (v / v0)^4)", () => {
    for (const speed of [2, 5, 8]) {
      const expected = (treiber2000.minGapM + speed * treiber2000.timeGapS) / Math.sqrt(1 - (speed / 10) ** 4);
      const settled = follow(40, speed, speed, 400);
      expect(settled.speed).toBeCloseTo(speed, 1);
      expect(settled.gapM).toBeCloseTo(expected, 0);
    }
  });

  test("reaches its free speed on an empty road and does not exceed it", () => {
    let speed = 0;
    for (let at = 0; at < 120; at += 0.05) speed += 0.05 * acceleration(driver, speed, driver.freeSpeed, 0);
    expect(speed).toBeGreaterThan(9.8);
    expect(speed).toBeLessThanOrEqual(10);
  });

  test("stops behind a standing vehicle without touching it", () => {
    const { gapM, speed } = follow(60, 10, 0, 60);
    expect(speed).toBeLessThan(0.1);
    expect(gapM).toBeGreaterThan(1.5);
    expect(gapM).toBeLessThan(3);
  });

  test("brakes comfortably for a lower limit, and never harder than 8 m/s²", () => {
    expect(acceleration(driver, 10, 1, 0)).toBe(-treiber2000.decel);
    expect(acceleration(driver, 10, 10, 1_000)).toBe(-8);
    expect(approachSpeed(4, 0, 1.67)).toBe(4);
    expect(approachSpeed(4, 10, 1.67)).toBeCloseTo(Math.sqrt(16 + 33.4));
  });

  test.each([
    ["nothing to cover takes no time", 0, 5, 10, 0],
    ["at the free speed it is distance by speed", 50, 10, 10, 5],
    ["from rest it is the square root law", 8, 0, 10, 4],
    ["above the limit it goes on as it does", 20, 10, 5, 2],
    ["a ramp, then the free speed", 60, 0, 10, 11],
  ])("%s", (_, distanceM, speed, freeSpeed, expected) => {
    expect(travelS(distanceM, speed, 1, freeSpeed)).toBeCloseTo(expected, 6);
  });
});
