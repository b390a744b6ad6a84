/** Who may go: the light, crossing and merging vehicles, people on the crossings, room behind the junction. */
import { travelS } from "./driver.ts";
import { approachM, type Conflict, type Route, type RouteCrossing, routes } from "./layout.ts";
import { lightOf } from "./signals.ts";
import type { Vehicle, Walker, World } from "./world.ts";

/** Seconds kept between two users of one place. */
const marginS = 0.8;
const hurriedAccel = 1.8;

export const insideJunction = (vehicle: Vehicle): boolean =>
  vehicle.committed && vehicle.frontM - vehicle.lengthM < vehicle.route.exitAtM;

const freeSpeed = (vehicle: Vehicle): number => Math.min(vehicle.driver.freeSpeed, vehicle.route.turnSpeed);

const arrivalS = (vehicle: Vehicle, atM: number, accel: number): number =>
  travelS(atM - vehicle.frontM, vehicle.speed, accel, Math.max(freeSpeed(vehicle), 0.5));

/** Drivers let somebody in who has waited so long at a green light. */
const courtesyMs = 3_500;

const hasWaitedLong = (world: World, vehicle: Vehicle): boolean =>
  vehicle.waitsSinceMs >= 0 && world.nowMs - vehicle.waitsSinceMs > courtesyMs;

const canStop = (vehicle: Vehicle): boolean =>
  approachM - vehicle.frontM > (vehicle.speed * vehicle.speed) / (2 * vehicle.driver.decel) + 3;

/** Whether `other` would be in the shared stretch while `vehicle` passes it. */
const clashes = (world: World, vehicle: Vehicle, other: Vehicle, conflict: Conflict): boolean => {
  if (other.frontM - other.lengthM > conflict.otherToM) return false;
  const approaching = !other.committed;
  // Who is not yet committed counts only when it goes first and may go.
  if (approaching && !(conflict.yields && lightOf(world.signals, other.route.arm) === "green")) return false;
  if (approaching && hasWaitedLong(world, vehicle) && canStop(other)) return false;
  const inS = arrivalS(vehicle, conflict.fromM, hurriedAccel);
  const outS = arrivalS(vehicle, conflict.toM + vehicle.lengthM, vehicle.driver.accel);
  const otherInS = arrivalS(other, conflict.otherFromM, hurriedAccel);
  if (otherInS > outS + marginS) return false;
  if (approaching) return true;
  const otherOutS = (conflict.otherToM + other.lengthM - other.frontM) / Math.max(other.speed, 0.2);
  return otherOutS + marginS > inS;
};

/** The exit has no standing tail that would keep this vehicle inside the junction. */
const hasRoom = (world: World, vehicle: Vehicle): boolean => {
  let roomM = Number.POSITIVE_INFINITY;
  for (const other of world.exits[vehicle.route.exit] ?? []) {
    if (other === vehicle || other.speed > 2) continue;
    roomM = Math.min(roomM, other.frontM - other.lengthM - other.route.exitAtM);
  }
  return roomM > vehicle.lengthM + 3;
};

/** Whether the walker is in the vehicle's swept strip of the crossing during the seconds `fromS`..`toS`. */
const walksInto = (walker: Walker, crossing: RouteCrossing, halfM: number, fromS: number, toS: number): boolean => {
  const leg = walker.legs[walker.leg];
  if (!leg) return false;
  // Across the road, positive on the left of the outward direction.
  const lateralOf = (x: number, y: number) => (crossing.arm % 2 === 0 ? y : -x) * (crossing.arm < 2 ? 1 : -1);
  const at = lateralOf(leg.x + leg.dx * walker.alongM, leg.y + leg.dy * walker.alongM);
  const rate = lateralOf(leg.dx, leg.dy) * walker.walkSpeed;
  const low = (crossing.lateralM - halfM - at) / rate;
  const high = (crossing.lateralM + halfM - at) / rate;
  return Math.min(low, high) < toS + marginS && Math.max(low, high) > fromS - marginS;
};

/** Someone on foot is, or will be, in the vehicle's way on this crossing. */
export const peopleInWay = (world: World, vehicle: Vehicle, crossing: RouteCrossing): boolean => {
  const walkers = world.crossing[crossing.arm];
  if (!walkers || walkers.length === 0 || vehicle.heedless) return false;
  const fromS = arrivalS(vehicle, crossing.fromM, hurriedAccel);
  const toS = arrivalS(vehicle, crossing.toM + vehicle.lengthM, vehicle.driver.accel);
  const halfM = vehicle.widthM / 2 + 2;
  return walkers.some((walker) => walksInto(walker, crossing, halfM, fromS, toS));
};

const junctionIsEmpty = (world: World, but: Vehicle): boolean =>
  world.vehicles.every((vehicle) => vehicle === but || !insideJunction(vehicle));

/** Waits at the line to turn, and with it everyone behind. */
const isWaitingToTurn = (vehicle: Vehicle): boolean =>
  !vehicle.committed && vehicle.speed < 1 && vehicle.route.movement !== "through" && approachM - vehicle.frontM < 3;

const conflictFree = (world: World, vehicle: Vehicle): boolean => {
  for (const conflict of vehicle.route.conflicts) {
    const other = routes[conflict.route];
    for (const candidate of world.entries[other?.entry ?? -1] ?? []) {
      if (candidate.route === other && clashes(world, vehicle, candidate, conflict)) return false;
      // Else two who wait to turn left, each with someone behind that goes straight on, would wait for ever.
      if (isWaitingToTurn(candidate)) break;
    }
  }
  return true;
};

/** Where a vehicle inside the junction must stop because another is held up across its way; infinity for nowhere. */
export const blockedAtM = (world: World, vehicle: Vehicle): number => {
  let nearestM = Number.POSITIVE_INFINITY;
  for (const conflict of vehicle.route.conflicts) {
    if (conflict.fromM < vehicle.frontM || conflict.fromM > nearestM) continue;
    const other = routes[conflict.route];
    for (const candidate of world.entries[other?.entry ?? -1] ?? []) {
      const isAcross = candidate.frontM > conflict.otherFromM && candidate.frontM - candidate.lengthM < conflict.otherToM;
      if (candidate.route === other && candidate.committed && isAcross && candidate.speed < 2.5) nearestM = conflict.fromM;
    }
  }
  return nearestM;
};

/** Green; or the yellow, in which opposing traffic stops, for one who waits at the line to turn left. */
const lightAllows = (world: World, vehicle: Vehicle): boolean => {
  const light = lightOf(world.signals, vehicle.route.arm);
  return light === "green" || (light === "yellow" && vehicle.route.movement === "left" && isWaitingToTurn(vehicle));
};

/** Whether a vehicle before the stop line may pass it. */
export const mayEnter = (world: World, vehicle: Vehicle): boolean => {
  const { route } = vehicle;
  const turning = route.movement !== "through";
  if (world.sole) {
    if (world.sole !== vehicle) return false;
    return junctionIsEmpty(world, vehicle) && !route.crossings.some((crossing) => peopleInWay(world, vehicle, crossing));
  }
  if (!lightAllows(world, vehicle) || route.exit === world.closedExit) return false;
  if (!hasRoom(world, vehicle)) return false;
  if (turning && peopleInWay(world, vehicle, route.crossings[1])) return false;
  return conflictFree(world, vehicle);
};

/** A vehicle that people about to cross `arm` must let pass: it is inside the junction, or on its lawless way in. */
const comesOver = (vehicle: Vehicle, route: Route, arm: number): boolean => {
  if (!vehicle.committed && route.movement !== "wrong-way") return false;
  for (const crossing of route.crossings) {
    if (crossing.arm !== arm || vehicle.frontM - vehicle.lengthM > crossing.toM) continue;
    if (crossing.fromM - vehicle.frontM < Math.max(6, 3.5 * vehicle.speed)) return true;
  }
  return false;
};

/** Nothing that would not stop is about to pass the crossing of `arm`. */
export const crossingIsSafe = (world: World, arm: number): boolean =>
  !world.vehicles.some((vehicle) => comesOver(vehicle, vehicle.route, arm));
