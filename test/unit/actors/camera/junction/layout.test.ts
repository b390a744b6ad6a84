import { describe, expect, test } from "bun:test";
import {
  approachM,
  crossingFromM,
  crossingToM,
  kerbM,
  laneOffsetsM,
  onArm,
  routeOf,
  routes,
  stopLineM,
} from "../../../../../actors/camera/junction/layout.ts";
import { lawfulHeading } from "../../../../../actors/camera/junction/placement.ts";
import { canHold, createSignals, hold, lightOf, mayWalk, stepSignals } from "../../../../../actors/camera/junction/signals.ts";
import { pointAt, track } from "../../../../../actors/camera/junction/track.ts";
import { seededRandom } from "../../../../../runtime/random.ts";

describe("a track", () => {
  test("joins lines and arcs without a gap, and goes on straight at both ends", () => {
    const way = track([
      { kind: "line", from: { x: 0, y: 0 }, to: { x: 10, y: 0 } },
      { kind: "arc", centre: { x: 10, y: 5 }, radiusM: 5, start: -Math.PI / 2, sweep: Math.PI / 2 },
      { kind: "line", from: { x: 15, y: 5 }, to: { x: 15, y: 12.3 } },
    ]);
    expect(way.lengthM).toBeCloseTo(10 + (5 * Math.PI) / 2 + 7.3);
    const before = { x: 0, y: 0 };
    const after = { x: 0, y: 0 };
    for (let at = -3; at < way.lengthM + 3; at += 0.1) {
      pointAt(way, at, before);
      pointAt(way, at + 0.1, after);
      expect(Math.hypot(after.x - before.x, after.y - before.y)).toBeCloseTo(0.1, 2);
    }
    expect(pointAt(way, -2, before)).toEqual({ x: -2, y: 0 });
    expect(pointAt(way, way.lengthM + 2, before).y).toBeCloseTo(14.3);
  });
});

describe("the layout", () => {
  test("leads every route from its lane to its lane, on the right-hand side", () => {
    const point = { x: 0, y: 0 };
    for (const route of routes) {
      const side = route.movement === "wrong-way" ? -1 : 1;
      const offsetM = laneOffsetsM[route.lane] ?? 0;
      pointAt(route.track, approachM, point);
      const from = onArm(route.arm, stopLineM, side * offsetM);
      expect(Math.hypot(point.x - from.x, point.y - from.y)).toBeLessThan(0.1);
      pointAt(route.track, route.exitAtM, point);
      const to = onArm(route.exitArm, stopLineM, -offsetM);
      expect(Math.hypot(point.x - to.x, point.y - to.y)).toBeLessThan(0.1);
    }
  });

  test("has traffic going the lawful way before and behind the junction, but for the wrong-way routes", () => {
    const one = { x: 0, y: 0 };
    const other = { x: 0, y: 0 };
    for (const route of routes) {
      for (const at of [20, approachM - 5, route.exitAtM + 5, route.lengthM - 20]) {
        pointAt(route.track, at, one);
        pointAt(route.track, at + 1, other);
        const heading = Math.atan2(other.y - one.y, other.x - one.x);
        const agrees = Math.cos(heading - (lawfulHeading(one.x, one.y) ?? Number.NaN));
        expect(agrees).toBeCloseTo(route.movement === "wrong-way" && at < approachM ? -1 : 1, 2);
      }
    }
  });

  test("puts a route's crossings where it passes them", () => {
    const point = { x: 0, y: 0 };
    for (const route of routes) {
      for (const { arm, fromM, toM, lateralM } of route.crossings) {
        for (const at of [fromM, toM]) {
          pointAt(route.track, at, point);
          const out = arm % 2 === 0 ? Math.abs(point.x) : Math.abs(point.y);
          expect(Math.min(Math.abs(out - crossingFromM), Math.abs(out - crossingToM))).toBeLessThan(0.3);
        }
        expect(Math.abs(lateralM)).toBeLessThan(kerbM);
      }
    }
  });

  test("knows who crosses whom: a left turn gives way to those who come straight towards it, and they to nobody", () => {
    const left = routeOf(0, 0, "left");
    const through = routeOf(2, 1, "through");
    expect(left.conflicts.find(({ route }) => route === through.id)?.yields).toBe(true);
    expect(through.conflicts.find(({ route }) => route === left.id)?.yields).toBe(false);
    expect(left.conflicts.some(({ route }) => route === routeOf(2, 0, "left").id)).toBe(false);
  });
});

describe("the lights", () => {
  test("never show green, or yellow, to both roads, and clear the junction in between", () => {
    const signals = createSignals(seededRandom(5));
    let changes = 0;
    let last = signals.axis;
    for (let at = 0; at < 300_000; at += 50) {
      stepSignals(signals, at);
      const open = [0, 1, 2, 3].filter((arm) => lightOf(signals, arm) !== "red");
      expect(open.length === 0 || (open.length === 2 && (open[0] ?? 0) % 2 === (open[1] ?? 1) % 2)).toBe(true);
      for (let arm = 0; arm < 4; arm++) if (mayWalk(signals, arm, at)) expect(lightOf(signals, arm)).toBe("red");
      if (signals.axis !== last) changes += 1;
      last = signals.axis;
    }
    expect(changes).toBeGreaterThan(10);
  });

  test("hold a green no longer than its longest time", () => {
    const signals = createSignals(seededRandom(5));
    const arm = signals.axis;
    expect(canHold(signals, arm, 20_000)).toBe(true);
    expect(canHold(signals, arm, 120_000)).toBe(false);
    expect(canHold(signals, arm + 1, 1_000)).toBe(false);
    hold(signals, 120_000);
    let at = 0;
    for (; lightOf(signals, arm) === "green"; at += 50) stepSignals(signals, at);
    expect(at).toBeGreaterThan(30_000);
    expect(at).toBeLessThan(43_000);
  });
});
