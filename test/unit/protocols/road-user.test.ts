import { expect, test } from "bun:test";
import { isMotorVehicle, isPedestrian, isVehicle } from "../../../protocols/road-user.ts";

test.each([
  ["car", true, true, false],
  ["bus", true, true, false],
  ["truck", true, true, false],
  ["motorcycle", false, true, false],
  ["bicycle", false, true, false],
  ["person", false, false, true],
  ["dog", false, false, false],
])("%s: motor vehicle %p, vehicle %p, pedestrian %p", (className, motorVehicle, vehicle, pedestrian) => {
  expect(isMotorVehicle(className)).toBe(motorVehicle);
  expect(isVehicle(className)).toBe(vehicle);
  expect(isPedestrian(className)).toBe(pedestrian);
});
