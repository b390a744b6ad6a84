import { expect, test } from "bun:test";
import { createWindow, type DeliveryFailure, openCause } from "../../../runtime/settlement.ts";

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
  expect(() => window.opened(4, 1, 0)).toThrow("opened after");
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
