/** Vehicles: they follow the one ahead, keep the lights and give way; one step moves them all at once. */
import { acceleration, approachSpeed, interaction } from "./driver.ts";
import { approachM } from "./layout.ts";
import { blockedAtM, insideJunction, mayEnter, peopleInWay } from "./right-of-way.ts";
import { lightOf } from "./signals.ts";
import type { Vehicle, World } from "./world.ts";

/** A creeping approach begins so far before the stop line. */
export const slowStretchM = 26;

const tailM = (vehicle: Vehicle): number => vehicle.frontM - vehicle.lengthM;

/** A place to stop at, as the model sees it: the driver comes to rest half a metre before it. */
const standing = (vehicle: Vehicle, atM: number): number =>
  interaction(vehicle.driver, vehicle.speed, atM - vehicle.frontM - 0.5 + vehicle.driver.minGapM, 0);

const behind = (vehicle: Vehicle, gapM: number, leader: Vehicle): number =>
  interaction(vehicle.driver, vehicle.speed, gapM, leader.speed);

/** Those ahead that came out of the same lane. */
const behindOwnLane = (vehicle: Vehicle, lane: readonly Vehicle[], place: number): number => {
  let strongest = 0;
  for (let index = place - 1; index >= 0; index--) {
    const leader = lane[index];
    if (!leader) break;
    const same = leader.route === vehicle.route;
    const partsAtM = same ? Number.POSITIVE_INFINITY : (vehicle.route.partsAtM.get(leader.route.id) ?? 0);
    if (tailM(leader) < partsAtM && vehicle.frontM - vehicle.lengthM < partsAtM) {
      strongest = Math.max(strongest, behind(vehicle, tailM(leader) - vehicle.frontM, leader));
    }
    if (same) break;
  }
  return strongest;
};

/** Those ahead on the way to the same exit lane, wherever they came from. */
const behindInExit = (world: World, vehicle: Vehicle): number => {
  const restM = vehicle.route.exitAtM - vehicle.frontM;
  let nearestM = Number.POSITIVE_INFINITY;
  let leader: Vehicle | null = null;
  for (const other of world.exits[vehicle.route.exit] ?? []) {
    const gapM = restM - (other.route.exitAtM - other.frontM);
    if (other === vehicle || gapM <= 0 || gapM >= nearestM) continue;
    nearestM = gapM;
    leader = other;
  }
  return leader ? behind(vehicle, nearestM - leader.lengthM, leader) : 0;
};

const limitAt = (world: World, vehicle: Vehicle): number => {
  const { route, driver, frontM } = vehicle;
  let limit = driver.freeSpeed;
  if (frontM < route.exitAtM) limit = Math.min(limit, approachSpeed(route.turnSpeed, approachM - frontM, driver.decel));
  const { slow } = world;
  if (slow && slow.arm === route.arm && route.lane !== 2 && frontM < approachM + 4) {
    limit = Math.min(limit, approachSpeed(slow.speed, approachM - slowStretchM - frontM, driver.decel));
  }
  return limit;
};

/** A crossing ahead with people on it, near enough to matter and far enough to stop before. */
const crossingAhead = (world: World, vehicle: Vehicle): number => {
  let strongest = 0;
  for (const crossing of vehicle.route.crossings) {
    const restM = crossing.fromM - 0.5 - vehicle.frontM;
    if (restM < 0 || restM > 40 || (vehicle.speed * vehicle.speed) / 12 > restM + 0.5) continue;
    if (peopleInWay(world, vehicle, crossing)) strongest = Math.max(strongest, standing(vehicle, crossing.fromM - 0.5));
  }
  return strongest;
};

/** From here on there is no way back: the vehicle drives into the junction and out of it. */
export const commit = (world: World, vehicle: Vehicle): void => {
  if (vehicle.committed) return;
  vehicle.committed = true;
  world.exits[vehicle.route.exit]?.push(vehicle);
};

/** The stop line, for the first of a lane that has not passed it; decides, too, that there is no way back. */
const stopLine = (world: World, vehicle: Vehicle): number => {
  const restM = approachM - vehicle.frontM;
  if (restM > 45) return 0;
  const waits = vehicle.speed < 0.5 && restM < 3 && lightOf(world.signals, vehicle.route.arm) === "green";
  if (!waits) vehicle.waitsSinceMs = -1;
  else if (vehicle.waitsSinceMs < 0) vehicle.waitsSinceMs = world.nowMs;
  if (!mayEnter(world, vehicle)) return standing(vehicle, approachM);
  if (restM < (vehicle.speed * vehicle.speed) / 5 + 2) {
    commit(world, vehicle);
  }
  return 0;
};

const decide = (world: World): void => {
  for (const lane of world.entries) {
    let first = true;
    for (let place = 0; place < lane.length; place++) {
      const vehicle = lane[place];
      if (!vehicle) continue;
      let strongest = behindOwnLane(vehicle, lane, place);
      if (vehicle.committed || first) strongest = Math.max(strongest, behindInExit(world, vehicle));
      if (!vehicle.committed && first) {
        first = false;
        strongest = Math.max(strongest, stopLine(world, vehicle));
      }
      if (vehicle.committed) strongest = Math.max(strongest, standing(vehicle, blockedAtM(world, vehicle)));
      if (vehicle.stallAtM < Number.POSITIVE_INFINITY) strongest = Math.max(strongest, standing(vehicle, vehicle.stallAtM));
      strongest = Math.max(strongest, crossingAhead(world, vehicle));
      vehicle.accel = acceleration(vehicle.driver, vehicle.speed, limitAt(world, vehicle), strongest);
    }
  }
  for (const lane of world.exits) {
    for (const vehicle of lane) {
      // Inside the junction its entry lane has decided for it.
      if (insideJunction(vehicle)) continue;
      vehicle.accel = acceleration(vehicle.driver, vehicle.speed, limitAt(world, vehicle), behindInExit(world, vehicle));
    }
  }
};

const keep = (list: Vehicle[], stays: (vehicle: Vehicle) => boolean): void => {
  let kept = 0;
  for (const vehicle of list) {
    if (stays(vehicle)) list[kept++] = vehicle;
  }
  list.length = kept;
};

const isIn = (vehicle: Vehicle): boolean => tailM(vehicle) < vehicle.route.lengthM;
const isBeforeExit = (vehicle: Vehicle): boolean => tailM(vehicle) < vehicle.route.exitAtM;

export const stepTraffic = (world: World, stepS: number): void => {
  decide(world);
  for (const vehicle of world.vehicles) {
    const next = Math.max(0, vehicle.speed + vehicle.accel * stepS);
    vehicle.frontM += ((vehicle.speed + next) / 2) * stepS;
    vehicle.speed = next;
  }
  for (const lane of world.entries) keep(lane, isBeforeExit);
  for (const lane of world.exits) keep(lane, isIn);
  keep(world.vehicles, isIn);
};
