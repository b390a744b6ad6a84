/** Somebody comes in on the lanes where traffic leaves, and goes on through the junction once it is empty. */
import { addVehicle } from "../arrivals.ts";
import { approachM, laneIndex, routeOf } from "../layout.ts";
import type { Vehicle, World } from "../world.ts";
import { type StartAct, seenM, shuffledArms, watchOver, witness } from "./act.ts";

export const wrongWaySpeedMin = 2;
export const wrongWayMs = 3_000;

/** From here on everyone else waits: the others have seen it coming. */
const noticedAtM = approachM - 30;
const giveUpMs = 14_000;
const speed = 8;

const metresToClear = (world: World, exit: number): number =>
  Math.max(0, ...(world.exits[exit] ?? []).map((vehicle) => vehicle.route.lengthM + vehicle.lengthM - vehicle.frontM));

/** Somebody who stands at a stop line, and others behind, wants to leave by this lane. */
const isAwaited = (world: World, exit: number): boolean =>
  world.entries.some((lane) => {
    const waiting = lane.filter((vehicle) => !vehicle.committed);
    return waiting.length > 1 && waiting[0]?.route.exit === exit && waiting[0].speed < 0.5;
  });

/** The lane that is soonest empty comes first, unless it has just been used or is waited for. */
const unsuited = (world: World, lastArm: number, arm: number): number => {
  const lane = laneIndex(arm, 0);
  return metresToClear(world, lane) + (arm === lastArm ? 50 : 0) + (isAwaited(world, lane) ? 60 : 0);
};

export const startWrongWay: StartAct = (stage) => {
  const { world, view } = stage;
  const route = shuffledArms(stage)
    .map((arm) => routeOf(arm, 0, "wrong-way"))
    .filter((each) => seenM(view, each, 0, approachM) >= 36)
    .sort((one, other) => unsuited(world, stage.lastArm, one.arm) - unsuited(world, stage.lastArm, other.arm))[0];
  if (!route) return null;
  const lane = laneIndex(route.arm, 0);
  const begunMs = world.nowMs;
  const record = witness("wrong-way", wrongWayMs);
  world.closedExit = lane;
  stage.lastArm = route.arm;
  let driver: Vehicle | null = null;
  let isSeen = () => false;

  const leaveLane = () => {
    if (world.closedExit === lane) world.closedExit = -1;
  };
  return {
    step() {
      if (!driver) {
        const empty = (world.exits[lane] ?? []).length === 0;
        if (empty) {
          driver = addVehicle(world, { route, kind: "car", driver: { freeSpeed: speed }, speed });
          isSeen = watchOver(stage, [driver]);
        }
        if (!driver && world.nowMs - begunMs > giveUpMs) {
          leaveLane();
          return false;
        }
        return true;
      }
      const tailM = driver.frontM - driver.lengthM;
      const holds = driver.frontM < approachM && driver.speed > wrongWaySpeedMin && isSeen();
      record.note(world.nowMs, holds, [driver.id]);
      if (tailM > approachM) leaveLane();
      if (driver.frontM > noticedAtM) world.sole = driver;
      if (tailM < route.exitAtM) return true;
      world.sole = null;
      return false;
    },
    truth: record.truth,
  };
};
