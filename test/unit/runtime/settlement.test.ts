import { expect, test } from "bun:test";
import { abandonAll, createWindow, type DeliveryFailure, holdAll, openCause, releaseAll } from "../../../runtime/settlement.ts";
import { openCauses } from "../../support/causes.ts";

test("a cause ends when its last holder lets go", () => {
  const ends: (DeliveryFailure | null)[] = [];
  const cause = openCause("t/0/0", (failure) => ends.push(failure));
  cause.hold();
  cause.release();
  expect(ends).toEqual([]);
  cause.release();
  expect(ends).toEqual([null]);
});

test("a failure waits for the other holders, and the first reason stands", () => {
  const ends: (DeliveryFailure | null)[] = [];
  const cause = openCause("t/0/0", (failure) => ends.push(failure));
  cause.hold();
  cause.fail("first");
  cause.fail("second");
  cause.release();
  expect(ends).toEqual([]);
  cause.release();
  expect(ends).toEqual([{ reason: "first", isOwn: false }]);
});

test("a cause that has ended cannot be held or released", () => {
  const cause = openCause("t/0/0", () => {});
  cause.release();
  expect(() => cause.hold()).toThrow("held after its end");
  expect(() => cause.release()).toThrow("released more often");
});

test("an offset is opened once, in order, and settled once", () => {
  const window = createWindow(5);
  expect(() => window.opened(4, 1, 0)).toThrow("offset 4 was opened after 4");
  window.opened(5, 1, 0);
  window.settled(5);
  expect(() => window.settled(5)).toThrow("not open");
});

test("a failure of the record's own outweighs what circumstances did to it", () => {
  const ends: (DeliveryFailure | null)[] = [];
  const cause = openCause("t/0/0", (failure) => ends.push(failure));
  cause.fail("the stage stopped");
  cause.fail("its turn threw", true);
  cause.fail("the stage stopped again");
  cause.release();
  expect(ends).toEqual([{ reason: "its turn threw", isOwn: true }]);
});

test("each cause of a turn is held for what the turn leads to, and let go with it", () => {
  const { causes, ends } = openCauses("t/0/0", "t/1/7");
  holdAll(causes);
  releaseAll(causes);
  expect(ends).toEqual({});
  releaseAll(causes);
  expect(ends).toEqual({ "t/0/0": null, "t/1/7": null });
});

test.each([
  ["circumstances, unless it says otherwise", undefined, false],
  ["the record's own doing, if it says so", true, true],
] as const)("what is given up fails each of its causes and lets it go: %s", (_what, given, isOwn) => {
  const { causes, ends } = openCauses("t/0/0", "t/1/7");
  abandonAll(causes, "the stage stopped", given);
  expect(ends).toEqual({ "t/0/0": { reason: "the stage stopped", isOwn }, "t/1/7": { reason: "the stage stopped", isOwn } });
});
