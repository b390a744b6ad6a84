/** Somebody crosses against the light, on foot or on a bicycle, and a car passes close behind them without braking. */
import { addVehicle, lastTailM } from "../arrivals.ts";
import { buildPerson, buildVehicle } from "../kinds.ts";
import { crossingFromM, crossingToM, onArm, type Route, type RouteCrossing, routeOf } from "../layout.ts";
import { legsThrough, pavementEndM, type Side } from "../people.ts";
import { type Placement, placeVehicle, placeWalker } from "../placement.ts";
import { canHold, hold, lightOf } from "../signals.ts";
import { isSeen } from "../view.ts";
import type { Vehicle, Walker, World } from "../world.ts";
import { type ActTruth, laneRuns, type StartAct, shuffledArms } from "./act.ts";

export const collisionTimeMaxS = 1.5;
/** Predicted distance of the centres at their closest. */
export const missDistanceMaxM = 3;
/** Measured distance from body to body. */
export const separationMaxM = 1.5;

const carSpeed = 9.2;
const kerbAtM = 8.8;
const giveUpMs = 16_000;

/** Seconds to, and centre distance at, the closest approach if both went on as they do. */
export const closestApproach = (one: Placement, other: Placement): { readonly inS: number; readonly distanceM: number } => {
  const px = other.x - one.x;
  const py = other.y - one.y;
  const vx = other.speed * Math.cos(other.heading) - one.speed * Math.cos(one.heading);
  const vy = other.speed * Math.sin(other.heading) - one.speed * Math.sin(one.heading);
  const square = vx * vx + vy * vy;
  const inS = square < 1e-6 ? 0 : -(px * vx + py * vy) / square;
  return { inS, distanceM: Math.hypot(px + vx * inS, py + vy * inS) };
};

/** From the vehicle's rectangle to the other's, taken as a disc or a short bar along its heading. */
export const separationM = (vehicle: Placement, other: Placement): number => {
  const cos = Math.cos(vehicle.heading);
  const sin = Math.sin(vehicle.heading);
  const halfBarM = Math.max(0, (other.lengthM - other.widthM) / 2);
  let nearest = Number.POSITIVE_INFINITY;
  for (const part of [-1, -0.5, 0, 0.5, 1]) {
    const dx = other.x + part * halfBarM * Math.cos(other.heading) - vehicle.x;
    const dy = other.y + part * halfBarM * Math.sin(other.heading) - vehicle.y;
    const along = Math.max(0, Math.abs(dx * cos + dy * sin) - vehicle.lengthM / 2);
    const across = Math.max(0, Math.abs(-dx * sin + dy * cos) - vehicle.widthM / 2);
    nearest = Math.min(nearest, Math.hypot(along, across) - other.widthM / 2);
  }
  return nearest;
};

const addCrosser = (world: World, crossing: RouteCrossing, side: Side, stripM: number, rides: boolean): Walker => {
  const { arm } = crossing;
  const far = -side * 10.6;
  const walker: Walker = {
    ...(rides ? buildVehicle(world.random, "bicycle") : buildPerson(world.random)),
    id: world.nextId++,
    legs: legsThrough(onArm(arm, stripM, side * 15.5), [
      { ...onArm(arm, stripM, side * kerbAtM), arm: -1 },
      { ...onArm(arm, stripM, far), arm },
      { ...onArm(arm, pavementEndM, far), arm: -1 },
    ]),
    walkSpeed: rides ? 2.8 + 0.6 * world.random.next() : 1.45 + 0.15 * world.random.next(),
    leg: 0,
    alongM: 0,
    speed: 0,
    mayGo: false,
  };
  world.walkers.push(walker);
  return walker;
};

/** Distance that a driver who sees somebody step out needs to stop. */
const stoppingM = (speed: number): number => speed * 0.4 + (speed * speed) / 6;

/** Everyone else on this crossing can still stop, or is through before the crosser gets to their lane. */
const othersAreSafe = (world: World, car: Vehicle, arm: number, side: Side, walkSpeed: number): boolean =>
  world.vehicles.every((vehicle) => {
    if (vehicle === car) return true;
    return vehicle.route.crossings.every((crossing) => {
      const restM = crossing.fromM - vehicle.frontM;
      const clearM = crossing.toM + vehicle.lengthM - vehicle.frontM;
      if (crossing.arm !== arm || clearM < 0 || restM > stoppingM(vehicle.speed)) return true;
      const walkM = kerbAtM - side * crossing.lateralM - vehicle.widthM / 2 - 0.8;
      return clearM / Math.max(vehicle.speed, 0.1) < walkM / walkSpeed;
    });
  });

type Encounter = { nearestM: number; nearestAtMs: number; fromMs: number };

/** Notes the danger while it lasts; what it says in the end is kept only when it was a near miss. */
const watch = (meeting: Encounter, car: Placement, walker: Placement, nowMs: number): void => {
  const { inS, distanceM } = closestApproach(car, walker);
  if (meeting.fromMs < 0 && inS > 0 && inS < collisionTimeMaxS && distanceM < missDistanceMaxM) meeting.fromMs = nowMs;
  const apartM = separationM(car, walker);
  if (apartM >= meeting.nearestM) return;
  meeting.nearestM = apartM;
  meeting.nearestAtMs = nowMs;
};

/** Where and when one who crosses at this place would meet a car: seconds from the kerb to just clear of its side. */
const passingS = (car: Vehicle, crossing: RouteCrossing, walker: Walker, clearanceM: number): number =>
  (kerbAtM - Math.abs(crossing.lateralM) + car.widthM / 2 + walker.lengthM / 2 + clearanceM) / walker.walkSpeed;

const addCar = (world: World, route: Route): void => {
  if (!laneRuns(world, route) || lastTailM(world, route.entry) < 30) return;
  addVehicle(world, { route, kind: "car", driver: { freeSpeed: carSpeed }, speed: carSpeed, lateralM: 0 });
};

export const startNearMiss: StartAct = (stage) => {
  const { world, view, random } = stage;
  const begunMs = world.nowMs;
  const route = shuffledArms(stage)
    .map((arm) => routeOf(arm, 1, "through"))
    .find((each) => canHold(world.signals, each.arm, begunMs + giveUpMs));
  if (!route) return null;
  const crossing = route.crossings[random.next() < 0.5 ? 0 : 1];
  const stripM = 13.2 + 1.2 * random.next();
  const side: Side = crossing.lateralM > 0 ? 1 : -1;
  const place = onArm(crossing.arm, stripM, crossing.lateralM);
  if (!isSeen(view, place.x, place.y, 1.6)) return null;
  stage.lastArm = route.arm;
  const walker = addCrosser(world, crossing, side, stripM, random.next() < 0.3);
  const clearanceM = 0.5 + 0.4 * random.next();
  const inwards = crossing === route.crossings[0];
  const lineM = crossing.fromM + (inwards ? crossingToM - stripM : stripM - crossingFromM);
  const meeting: Encounter = { nearestM: Number.POSITIVE_INFINITY, nearestAtMs: 0, fromMs: -1 };
  let car: Vehicle | null = null;

  /** Steps out before a car that comes at the right moment and cannot be held up. */
  const stepOut = () => {
    for (const vehicle of world.vehicles) {
      if (vehicle.route !== route || vehicle.speed < 7.5 || Math.abs(vehicle.accel) > 0.3 || vehicle.lengthM > 6) continue;
      const lateS = passingS(vehicle, crossing, walker, clearanceM) - (lineM - vehicle.frontM) / vehicle.speed;
      if (lateS < 0 || lateS > 0.06 || !othersAreSafe(world, vehicle, crossing.arm, side, walker.walkSpeed)) continue;
      car = vehicle;
      vehicle.heedless = true;
      walker.mayGo = true;
      walker.alongM = Math.max(0.001, lateS * walker.walkSpeed);
      return;
    }
  };
  return {
    step() {
      if (car) {
        watch(meeting, placeVehicle(car, 0), placeWalker(walker, 0), world.nowMs);
        if (car.frontM < lineM + 8) return true;
        car.heedless = false;
        return false;
      }
      hold(world.signals, Math.min(world.nowMs + 6_000, begunMs + giveUpMs));
      if ((world.nowMs - begunMs) % 500 === 0) addCar(world, route);
      if (walker.leg === 1 && lightOf(world.signals, route.arm) === "green") stepOut();
      if (world.nowMs - begunMs < giveUpMs) return true;
      walker.mayGo = null;
      return false;
    },
    truth(): ActTruth | null {
      const near = meeting.nearestM > 0.05 && meeting.nearestM <= separationMaxM && meeting.fromMs >= 0;
      if (!near || !car) return null;
      return {
        act: "near-miss",
        fromMs: meeting.fromMs,
        toMs: meeting.nearestAtMs + 500,
        memberIds: [car.id, walker.id],
      };
    },
  };
};
