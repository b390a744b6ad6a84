/** Somebody crosses against the light, on foot or on a bicycle, and a car passes close behind them without braking. */
import { addVehicle, lastTailM } from "../arrivals.ts";
import { buildPerson, buildVehicle } from "../kinds.ts";
import { crossingFromM, crossingToM, onArm, type Route, type RouteCrossing, routeOf } from "../layout.ts";
import { legsThrough, pavementEndM, type Side } from "../people.ts";
import { type Placement, placeVehicle, placeWalker } from "../placement.ts";
import { mayEnter } from "../right-of-way.ts";
import { canHold, hold, lightOf } from "../signals.ts";
import { commit } from "../traffic.ts";
import { isSeen } from "../view.ts";
import { usualArmLimit, type Vehicle, type Walker, type World } from "../world.ts";
import { type ActTruth, type StartAct, shuffledArms } from "./act.ts";

export const collisionTimeMaxS = 1.5;
/** Predicted distance of the centres at their closest. */
export const missDistanceMaxM = 3.5;
/** Measured distance from body to body. */
export const separationMaxM = 1.5;

const carSpeed = 9.2;
const kerbAtM = 8.8;
/** From one car to the next: the first must be gone before anybody steps out in front of the second. */
const spacingM = 42;
const roomLeastM = 0.4;
/** Beside a vehicle, where somebody is too close for comfort. */
const nearLaneM = 0.8;
const giveUpMs = 16_000;
/** From stepping out until the car is past. */
const passingMs = 7_000;

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

const addCrosser = (world: World, arm: number, side: Side, stripM: number, rides: boolean): Walker => {
  // Outside the strip where people walk, and along the edge of the pavement: nobody else is run into.
  const far = -side * 12.2;
  const walker: Walker = {
    ...(rides ? buildVehicle(world.random, "bicycle") : buildPerson(world.random)),
    id: world.nextId++,
    legs: legsThrough(onArm(arm, stripM, side * 13.5), [
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

/** Seconds between a vehicle's leaving the crossing and somebody's coming near its lane who steps out now. */
const aheadS = (vehicle: Vehicle, crossing: RouteCrossing, side: Side, walker: Walker): number => {
  const clearM = crossing.toM + vehicle.lengthM - vehicle.frontM;
  const walkM = kerbAtM - side * crossing.lateralM - vehicle.widthM / 2 - walker.lengthM / 2 - nearLaneM;
  return clearM < 0 ? Number.POSITIVE_INFINITY : walkM / walker.walkSpeed - clearM / Math.max(vehicle.speed, 0.1);
};

/** Everyone else on this crossing can still stop or is through before; those ahead of the car need not even brake. */
const othersAreSafe = (world: World, car: Vehicle, arm: number, side: Side, walker: Walker): boolean =>
  world.vehicles.every((vehicle) => {
    if (vehicle === car) return true;
    const sharesWay = vehicle.route.entry === car.route.entry || vehicle.route.exit === car.route.exit;
    const isAhead = sharesWay && vehicle.route.exitAtM - vehicle.frontM < car.route.exitAtM - car.frontM;
    return vehicle.route.crossings.every((crossing) => {
      if (crossing.arm !== arm || aheadS(vehicle, crossing, side, walker) > (isAhead ? 1.2 : 0)) return true;
      return !isAhead && crossing.fromM - vehicle.frontM > stoppingM(vehicle.speed);
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

/** Room that would be left between a car that arrives in `arrivalS` and somebody who steps out at this moment. */
const roomM = (car: Vehicle, { lateralM }: RouteCrossing, walker: Walker, arrivalS: number): number =>
  arrivalS * walker.walkSpeed - (kerbAtM - Math.abs(lateralM) + car.widthM / 2 + walker.lengthM / 2);

const runs = (world: World, route: Route): boolean =>
  (world.entries[route.entry] ?? []).every(
    (vehicle) => vehicle.committed || (vehicle.speed > 6 && vehicle.route.movement === "through"),
  );

/** Sees to a steady flow in a lane that flows already. */
const addCar = (world: World, route: Route): void => {
  if (!runs(world, route) || lastTailM(world, route.entry) < spacingM) return;
  addVehicle(world, { route, kind: "car", driver: { freeSpeed: carSpeed }, speed: carSpeed });
};

const mayBeMet = (vehicle: Vehicle, arm: number): boolean =>
  vehicle.route.arm === arm &&
  vehicle.route.movement === "through" &&
  vehicle.class === "car" &&
  vehicle.speed > 7.5 &&
  Math.abs(vehicle.accel) < 0.3;

export const startNearMiss: StartAct = (stage) => {
  const { world, view, random } = stage;
  const begunMs = world.nowMs;
  const arm = shuffledArms(stage).find(
    (each) => canHold(world.signals, each, begunMs + giveUpMs + passingMs) && runs(world, routeOf(each, 1, "through")),
  );
  if (arm === undefined) return null;
  const route = routeOf(arm, 1, "through");
  // The crossing before the junction or the one behind it; the side is that of the outer lane's kerb.
  const place = random.next() < 0.5 ? 0 : 1;
  const { arm: crossedArm, lateralM } = route.crossings[place];
  const stripM = crossingToM + 0.3 * random.next();
  const side: Side = lateralM > 0 ? 1 : -1;
  const kerb = onArm(crossedArm, stripM, lateralM);
  if (!isSeen(view, kerb.x, kerb.y, 1.6)) return null;
  stage.lastArm = arm;
  // Nobody who would wait to turn comes in between.
  world.armLimit[arm] = 0;
  const rides = random.next() < 0.3 && !world.walkers.some((each) => each.kind === "bicycle");
  const walker = addCrosser(world, crossedArm, side, stripM, rides);
  const roomMostM = 0.75 + 0.25 * random.next();
  const meeting: Encounter = { nearestM: Number.POSITIVE_INFINITY, nearestAtMs: 0, fromMs: -1 };
  let car: Vehicle | null = null;

  const lineOf = ({ crossings }: Route): number =>
    crossings[place].fromM + (place === 0 ? crossingToM - stripM : stripM - crossingFromM);

  /** Steps out before a car that comes at the right moment and cannot be held up. */
  const stepOut = () => {
    for (const vehicle of world.vehicles) {
      if (!mayBeMet(vehicle, arm)) continue;
      const arrivalS = (lineOf(vehicle.route) - vehicle.frontM) / vehicle.speed;
      const room = roomM(vehicle, vehicle.route.crossings[place], walker, arrivalS);
      if (room < roomLeastM || room > roomMostM) continue;
      if (!othersAreSafe(world, vehicle, crossedArm, side, walker)) continue;
      if (!vehicle.committed && !mayEnter(world, vehicle)) continue;
      car = vehicle;
      vehicle.heedless = true;
      commit(world, vehicle);
      walker.mayGo = true;
      return;
    }
  };
  const comeOrPass = (): boolean => {
    if (car) {
      watch(meeting, placeVehicle(car, 0), placeWalker(walker, 0), world.nowMs);
      return car.frontM < lineOf(car.route) + 8 && car.speed > 4;
    }
    hold(world.signals, world.nowMs + passingMs);
    if ((world.nowMs - begunMs) % 500 === 0) addCar(world, route);
    if (walker.leg === 1 && lightOf(world.signals, arm) === "green") stepOut();
    return car !== null || world.nowMs - begunMs < giveUpMs;
  };
  return {
    step() {
      if (comeOrPass()) return true;
      world.armLimit[arm] = usualArmLimit;
      if (car) car.heedless = false;
      else walker.mayGo = null;
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
