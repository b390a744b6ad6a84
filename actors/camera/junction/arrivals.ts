/** Where traffic comes from: the first moment's vehicles, and newcomers at the arms' ends. */
import { type Random, randomInt } from "../../../runtime/random.ts";
import type { Driver } from "./driver.ts";
import { buildDriver, buildVehicle, type Kind, pickKind } from "./kinds.ts";
import { approachM, laneIndex, type Movement, type Route, routeOf } from "./layout.ts";
import { lightOf } from "./signals.ts";
import { intervalMs, type Vehicle, type World } from "./world.ts";

export type Newcomer = {
  readonly route: Route;
  readonly kind?: Exclude<Kind, "person">;
  readonly driver?: Partial<Driver>;
  readonly frontM?: number;
  readonly speed?: number;
  readonly heedless?: boolean;
  readonly lateralM?: number;
};

const bicycleArrival = 4;
const bicyclesMax = 10;

/** Puts a vehicle at the end of its entry lane; the caller has seen to the room. */
export const addVehicle = (world: World, newcomer: Newcomer): Vehicle => {
  const { random } = world;
  const kind = newcomer.kind ?? pickKind(random);
  const driver = { ...buildDriver(random, kind), ...newcomer.driver };
  const wanderM = kind === "motorcycle" ? 1 : 0.3;
  const vehicle: Vehicle = {
    ...buildVehicle(random, kind),
    id: world.nextId++,
    route: newcomer.route,
    driver,
    lateralM: newcomer.lateralM ?? wanderM * (random.next() - 0.5),
    frontM: newcomer.frontM ?? 0,
    speed: newcomer.speed ?? driver.freeSpeed,
    accel: 0,
    committed: false,
    stallAtM: Number.POSITIVE_INFINITY,
    waitsSinceMs: -1,
    heedless: newcomer.heedless ?? false,
  };
  world.vehicles.push(vehicle);
  world.entries[newcomer.route.entry]?.push(vehicle);
  return vehicle;
};

/** The tail of the last vehicle of an entry lane; infinity when the lane is empty. */
export const lastTailM = (world: World, entry: number): number => {
  const last = world.entries[entry]?.at(-1);
  return last ? last.frontM - last.lengthM : Number.POSITIVE_INFINITY;
};

/** Vehicles before the stop line of an arm, bicycles aside. */
export const waitingOn = (world: World, arm: number): number => {
  let count = 0;
  for (const lane of [0, 1]) {
    for (const vehicle of world.entries[laneIndex(arm, lane)] ?? []) if (vehicle.frontM < approachM) count += 1;
  }
  return count;
};

const pickMovement = (random: Random, kind: Kind, lane: number): Movement => {
  const turns = random.next() < (lane === 0 ? 0.22 : 0.34);
  // A right turn is too tight for the long ones.
  if (lane === 1) return turns && kind !== "bus" && kind !== "lorry" ? "right" : "through";
  return turns ? "left" : "through";
};

/** A newcomer at the end of `arm`, unless the lane is full that far. */
export const arrive = (world: World, arm: number, lane: number, chosen?: Exclude<Kind, "person">): Vehicle | null => {
  const entry = laneIndex(arm, lane);
  const tailM = lastTailM(world, entry);
  const ahead = world.entries[entry]?.at(-1);
  if (tailM < 12) return null;
  const kind = chosen ?? pickKind(world.random);
  const driver = buildDriver(world.random, kind);
  // Whoever comes up behind someone has already taken their speed.
  const speed = ahead && tailM < 40 ? Math.min(driver.freeSpeed, ahead.speed + 1.5) : driver.freeSpeed;
  const route = routeOf(arm, lane, pickMovement(world.random, kind, lane));
  return addVehicle(world, { route, kind, driver, speed });
};

export const stepArrivals = (world: World): void => {
  const { random, demand, nextArrivalMs } = world;
  for (let arm = 0; arm < 4; arm++) {
    if (world.nowMs < (nextArrivalMs[arm] ?? 0)) continue;
    nextArrivalMs[arm] = world.nowMs + intervalMs(random, demand.vehicles[arm] ?? 0.1);
    const lane = randomInt(random, 2);
    if (waitingOn(world, arm) < (world.armLimit[arm] ?? 0)) arrive(world, arm, lane);
  }
  if (world.nowMs < (nextArrivalMs[bicycleArrival] ?? 0)) return;
  nextArrivalMs[bicycleArrival] = world.nowMs + intervalMs(random, demand.bicycles);
  const route = routeOf(randomInt(random, 4), 2, "through");
  const bicycles = world.vehicles.filter((vehicle) => vehicle.kind === "bicycle").length;
  if (bicycles < bicyclesMax && lastTailM(world, route.entry) > 8) addVehicle(world, { route, kind: "bicycle" });
};

/** The vehicles of the first moment: queues at red, traffic on the move at green, some just gone through. */
export const placeVehicles = (world: World): void => {
  const { random } = world;
  for (let arm = 0; arm < 4; arm++) {
    const red = lightOf(world.signals, arm) === "red";
    for (const lane of [0, 1]) {
      let frontM = red ? approachM - 0.5 : approachM - 22 - 12 * random.next();
      for (let count = randomInt(random, 3); count > 0; count--) {
        const kind = pickKind(random);
        const route = routeOf(arm, lane, pickMovement(random, kind, lane));
        const placed = addVehicle(world, { route, kind, frontM, ...(red ? { speed: 0 } : {}) });
        frontM -= placed.lengthM + (red ? 2.2 : 20 + 8 * random.next());
      }
    }
    if (random.next() < 0.5) placeLeaving(world, (arm + 2) % 4, randomInt(random, 2));
    nextArrival(world, arm);
  }
  if (random.next() < 0.6) addVehicle(world, { route: routeOf(randomInt(random, 4), 2, "through"), kind: "bicycle", frontM: 40 });
  world.nextArrivalMs[bicycleArrival] = world.nowMs + intervalMs(random, world.demand.bicycles);
};

const nextArrival = (world: World, arm: number): void => {
  world.nextArrivalMs[arm] = world.nowMs + intervalMs(world.random, world.demand.vehicles[arm] ?? 0.1);
};

const placeLeaving = (world: World, arm: number, lane: number): void => {
  const route = routeOf(arm, lane, "through");
  const vehicle = addVehicle(world, { route, frontM: route.exitAtM + 20 + 30 * world.random.next() });
  world.entries[route.entry]?.pop();
  vehicle.committed = true;
  world.exits[route.exit]?.push(vehicle);
};
