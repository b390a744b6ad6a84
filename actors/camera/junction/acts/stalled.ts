/** A vehicle breaks down before the junction: its light is green, the others pass or queue up behind. */
import { addVehicle, arrive, lastTailM } from "../arrivals.ts";
import { approachM, type Route, routeOf } from "../layout.ts";
import { canHold, hold, lightOf } from "../signals.ts";
import { usualArmLimit, type Vehicle, type World } from "../world.ts";
import { type Stage, type StartAct, seenM, shuffled, shuffledArms, watchOver, witness } from "./act.ts";

export const stalledMs = 8_000;
export const stalledSpeedMax = 0.3;

/** Others that drive by may hide it for so long. */
const hiddenMs = 1_200;
/** It stands so much longer when at first it was hidden. */
const spareMs = 3_500;

const brakingM = (vehicle: Vehicle): number => (vehicle.speed * vehicle.speed) / (2 * vehicle.driver.decel) + 4;

/** Someone on the way who can still stop at `atM` and has a clear road until there. */
const victimOn = (world: World, route: Route, atM: number): Vehicle | null => {
  for (const vehicle of world.entries[route.entry] ?? []) {
    if (vehicle.committed) continue;
    const suits = vehicle.speed > 4 && vehicle.frontM < atM - brakingM(vehicle) && vehicle.frontM > atM - 45;
    return suits && vehicle.route.movement === "through" ? vehicle : null;
  }
  return null;
};

const cast = (stage: Stage, standMs: number): { victim: Vehicle; atM: number } | null => {
  const { world, view, random } = stage;
  for (const arm of shuffledArms(stage)) {
    const arrivesMs = world.nowMs + 11_000;
    if (!canHold(world.signals, arm, arrivesMs + standMs + spareMs)) continue;
    for (const lane of shuffled(random, [0, 1])) {
      const route = routeOf(arm, lane, "through");
      const atM = approachM - 7 - 8 * random.next();
      if (seenM(view, route, atM - 8, atM) < 8) continue;
      const victim = victimOn(world, route, atM);
      if (victim) return { victim, atM };
      const clear = (world.entries[route.entry] ?? []).every((vehicle) => vehicle.committed);
      if (clear && lastTailM(world, route.entry) > 20) return { victim: addVehicle(world, { route, kind: "car" }), atM };
    }
  }
  return null;
};

const passesOrQueues = (world: World, victim: Vehicle): boolean =>
  world.vehicles.some((vehicle) => {
    if (vehicle === victim || vehicle.route.arm !== victim.route.arm) return false;
    const aheadM = vehicle.frontM - victim.frontM;
    if (vehicle.route.entry === victim.route.entry) return aheadM < 0 && aheadM > -15 && vehicle.speed < 1;
    return vehicle.speed > 2 && Math.abs(aheadM) < 6;
  });

export const startStalled: StartAct = (stage) => {
  const { world, random } = stage;
  const standMs = stalledMs + 1_500 + 1_500 * random.next();
  const chosen = cast(stage, standMs);
  if (!chosen) return null;
  const { victim, atM } = chosen;
  const { arm } = victim.route;
  stage.lastArm = arm;
  const begunMs = world.nowMs;
  const isSeen = watchOver(stage, [victim]);
  const record = witness("stalled", stalledMs);
  let stoodAtMs = -1;
  let company = false;
  let seenAtMs = Number.NEGATIVE_INFINITY;
  victim.stallAtM = atM;
  world.armLimit[arm] = usualArmLimit + 3;

  const endStall = () => {
    victim.stallAtM = Number.POSITIVE_INFINITY;
    world.armLimit[arm] = usualArmLimit;
  };
  return {
    step() {
      const stands = victim.speed < stalledSpeedMax && victim.frontM > atM - 4;
      if (stands && stoodAtMs < 0) stoodAtMs = world.nowMs;
      if (stands && passesOrQueues(world, victim)) company = true;
      // Others are on their way, in both lanes; low ones, that hide nothing.
      if ((world.nowMs - begunMs) % 2_500 === 0) arrive(world, arm, ((world.nowMs - begunMs) / 2_500) % 2, "car");
      hold(world.signals, (stoodAtMs < 0 ? world.nowMs + 1_000 : stoodAtMs + standMs + spareMs) + 500);
      if (isSeen()) seenAtMs = world.nowMs;
      const holds = stands && lightOf(world.signals, arm) === "green" && world.nowMs - seenAtMs < hiddenMs;
      record.note(world.nowMs, holds, [victim.id]);
      // Hidden behind others: another attempt will do better.
      const isHidden = stoodAtMs >= 0 && world.nowMs > stoodAtMs + spareMs && record.heldMs() === 0;
      const longerMs = stoodAtMs >= 0 && record.heldMs() < standMs ? spareMs : 0;
      const endMs = stoodAtMs >= 0 ? stoodAtMs + standMs + longerMs : begunMs + 16_000;
      const over = isHidden || world.nowMs >= endMs;
      if (over) endStall();
      return !over;
    },
    truth: () => (company ? record.truth() : null),
  };
};
