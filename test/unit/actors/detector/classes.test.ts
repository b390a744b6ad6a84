import { describe, expect, test } from "bun:test";
import {
  allowsClass,
  canonicalClass,
  cocoClasses,
  defaultAllowedClasses,
  suppressionGroup,
} from "../../../../actors/detector/classes.ts";

describe("class names", () => {
  test("COCO has 80, none twice, each in its canonical spelling", () => {
    expect(cocoClasses).toHaveLength(80);
    expect(new Set(cocoClasses).size).toBe(80);
    expect(cocoClasses.map(canonicalClass)).toEqual([...cocoClasses]);
  });

  test("the indexes of the default classes are those of the COCO models", () => {
    expect(defaultAllowedClasses.map((name) => cocoClasses.indexOf(name))).toEqual([0, 1, 2, 3, 5, 7, 9, 11]);
  });

  test.each([
    ["traffic_light", "traffic light"],
    ["Traffic Light", "traffic light"],
    [" stop-sign ", "stop sign"],
    ["motorbike", "motorcycle"],
    ["person", "person"],
  ])("%p is the class %p", (written, canonical) => expect(canonicalClass(written)).toBe(canonical));

  test("a list allows a class in any spelling, and an empty list allows all", () => {
    const allows = allowsClass(["traffic_light", "Person"]);
    expect([allows("traffic light"), allows("person"), allows("car")]).toEqual([true, true, false]);
    expect(allowsClass([])("kite")).toBe(true);
  });

  test("a car, a bus and a truck compete for one object, a person and a bicycle do not", () => {
    expect(new Set(["car", "bus", "truck"].map(suppressionGroup)).size).toBe(1);
    expect(suppressionGroup("person")).not.toBe(suppressionGroup("bicycle"));
    expect(suppressionGroup("motorcycle")).toBe("motorcycle");
  });
});
