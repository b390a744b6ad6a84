/** One approach fills up and only creeps, whatever its light shows. */
import { arrive } from "../arrivals.ts";
import { approachM, laneIndex, routeOf } from "../layout.ts";
import { placeVehicle } from "../placement.ts";
import { slowStretchM } from "../traffic.ts";
import { usualArmLimit, type Vehicle, type World } from "../world.ts";
import { type StartAct, seenM, shuffledArms, vehicleIsSeen, witness } from "./act.ts";

export const congestionMembersMin = 5;
export const congestionSpeedMax = 3;
/** Every member has another within this distance, centre to centre. */
export const congestionSpacingMaxM = 12;
export const congestionMs = 6_000;

const giveUpMs = 30_000;
/** Who belongs to the queue is worked out so often. */
const lookMs = 200;
const crowd = 10;
const creep = 1.2;

const slowOnes = (world: World, arm: number): Vehicle[] =>
  [0, 1].flatMap((lane) =>
    (world.entries[laneIndex(arm, lane)] ?? []).filter(
      (vehicle) =>
        vehicle.speed < congestionSpeedMax && vehicle.frontM > approachM - slowStretchM - 14 && vehicle.frontM < approachM + 6,
    ),
  );

/** Those of the slow ones that stand or creep close to another of them. */
const dense = (vehicles: readonly Vehicle[]): Vehicle[] => {
  const places = vehicles.map((vehicle) => placeVehicle(vehicle, 0));
  return vehicles.filter((_, index) => {
    const one = places[index];
    return places.some(
      (other, place) =>
        one !== undefined && place !== index && Math.hypot(one.x - other.x, one.y - other.y) < congestionSpacingMaxM,
    );
  });
};

export const startCongestion: StartAct = (stage) => {
  const { world, view, random } = stage;
  const arm = shuffledArms(stage).find((each) => {
    const route = routeOf(each, 0, "through");
    return seenM(view, route, approachM - slowStretchM - 14, approachM) >= slowStretchM + 8;
  });
  if (arm === undefined) return null;
  const begunMs = world.nowMs;
  const lastsMs = 9_000 + 3_000 * random.next();
  const record = witness("congestion", congestionMs);
  stage.lastArm = arm;
  world.slow = { arm, speed: creep };
  world.armLimit[arm] = crowd;

  let memberIds: readonly number[] = [];

  const look = () => {
    for (const lane of [0, 1]) {
      if ((world.entries[laneIndex(arm, lane)] ?? []).length < crowd / 2) arrive(world, arm, lane);
    }
    memberIds = dense(slowOnes(world, arm).filter((vehicle) => vehicleIsSeen(stage, vehicle))).map(({ id }) => id);
  };
  return {
    step() {
      if ((world.nowMs - begunMs) % lookMs === 0) look();
      record.note(world.nowMs, memberIds.length >= congestionMembersMin, memberIds);
      if (record.heldMs() < lastsMs && world.nowMs - begunMs < giveUpMs) return true;
      world.slow = null;
      world.armLimit[arm] = usualArmLimit;
      return false;
    },
    truth: record.truth,
  };
};
