/** Two cars run through the junction, the second less than 0.6 s behind the first. */
import { addVehicle } from "../arrivals.ts";
import { routeOf } from "../layout.ts";
import { canHold, hold } from "../signals.ts";
import { laneRuns, type StartAct, seenM, shuffled, shuffledArms, watchOver, witness } from "./act.ts";

export const headwayMaxS = 0.6;
export const tailgatingSpeedMin = 4;
export const tailgatingMs = 3_000;

const leaderSpeed = 9.5;
const leaderAtM = 18;

export const startTailgating: StartAct = (stage) => {
  const { world, view, random } = stage;
  const untilMs = world.nowMs + 9_500;
  const routes = shuffledArms(stage)
    .flatMap((arm) => shuffled(random, [0, 1]).map((lane) => routeOf(arm, lane, "through")))
    .filter((route) => canHold(world.signals, route.arm, untilMs) && laneRuns(world, route));
  const route = routes.find((each) => seenM(view, each, leaderAtM, each.lengthM) > 50);
  if (!route) return null;
  stage.lastArm = route.arm;
  hold(world.signals, untilMs);
  const leader = addVehicle(world, {
    route,
    kind: "car",
    driver: { freeSpeed: leaderSpeed },
    frontM: leaderAtM,
    speed: leaderSpeed,
  });
  const follower = addVehicle(world, {
    route,
    kind: random.next() < 0.7 ? "car" : "van",
    driver: { freeSpeed: 15, timeGapS: 0.28 + 0.06 * random.next(), minGapM: 0.8, accel: 2 },
    frontM: leaderAtM - leader.lengthM - 4.2,
    speed: leaderSpeed,
  });
  const areSeen = watchOver(stage, [leader, follower]);
  const record = witness("tailgating", tailgatingMs);
  return {
    step() {
      if (!world.vehicles.includes(leader)) return false;
      const gapM = leader.frontM - leader.lengthM - follower.frontM;
      const close = follower.speed > tailgatingSpeedMin && gapM / follower.speed < headwayMaxS;
      record.note(world.nowMs, close && areSeen(), [leader.id, follower.id]);
      return true;
    },
    truth: record.truth,
  };
};
