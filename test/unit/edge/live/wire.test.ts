import { expect, test } from "bun:test";
import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { framed, wireOf } from "../../../../edge/live/wire.ts";

const bodies = fc.dictionary(
  fc.string({ maxLength: 8 }).filter((key) => key !== "__proto__" && key !== "cursor"),
  // Without -0, which MessagePack's integers do not know, and a key that the library refuses.
  fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value).replaceAll("__proto__", "proto"))),
  {
    maxKeys: 40,
    noNullPrototype: true,
  },
);

test("a body put into its frame is what encoding it all would have been, with one field more or without", () => {
  fc.assert(
    fc.property(bodies, fc.string(), (data, cursor) => {
      expect(decode(framed("risk_update", encode(data)))).toEqual({ type: "risk_update", data });
      expect(decode(framed("risk_update", encode(data), { cursor }))).toEqual({ type: "risk_update", data: { ...data, cursor } });
    }),
  );
});

test.each([14, 15, 16, 255, 256, 65_534])("a map of %d fields takes one more", (count) => {
  const data = Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, index]));
  expect(decode(framed("x", encode(data), { last: true }))).toEqual({ type: "x", data: { ...data, last: true } });
});

test("what is no map is refused", () => {
  expect(() => framed("x", encode([1]), { last: true })).toThrow("map");
});

test("each form is made once", () => {
  let asked = 0;
  const wire = wireOf({
    type: "x",
    data: {
      get field() {
        return ++asked;
      },
    },
  });
  expect([wire.json(), wire.json()]).toEqual(Array(2).fill('{"type":"x","data":{"field":1}}'));
  expect(wire.msgpack()).toBe(wire.msgpack());
});
