import { describe, expect, test } from "bun:test";
import { decode as libraryDecode, encode as libraryEncode } from "@msgpack/msgpack";
import { z } from "zod";
import { CameraRecord } from "../../../protocols/camera.ts";
import { preferredConstruction, specialisedOf } from "../../../protocols/codec/specialised.ts";
import { createCodec } from "../../../protocols/codec.ts";
import { Bytes, message, type Tagged } from "../../../protocols/message.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { subjectsOf } from "../../../tools/fuzz-codec/compare.ts";
import { declared } from "../../../tools/fuzz-codec/declared.ts";
import { messageSample } from "../../../tools/fuzz-codec/sample.ts";

const Toy = message("toy", "For tests.", {
  id: z.int().min(0),
  name: z.string().max(40),
  level: z.enum(["low", "high"]),
  speed: z.number().optional(),
  picture: Bytes.optional(),
  points: z.array(z.tuple([z.number(), z.number()])),
  inner: z.object({ note: z.string().nullable(), isOn: z.boolean().optional() }),
  frames: z.union([z.boolean(), z.array(z.int())]),
});
const toy = {
  type: "toy",
  id: 7,
  name: "gate",
  level: "low",
  speed: 1.5,
  picture: new Uint8Array([1, 2, 3]),
  points: [[0.5, 2]],
  inner: { note: null, isOn: true },
  frames: [1, 2],
};
const { type: _, ...toyFields } = toy;

const constructions = ["generated", "composed", "none"] as const;
const rows = <T>(values: readonly T[]) =>
  constructions.flatMap((construction) => values.map((value) => [construction, value] as const));

describe("the fast way", () => {
  test.each(subjectsOf(declared.values()).map((subject) => [subject.definition.type, subject] as const))(
    "takes every %s that its schema accepts",
    (_type, { definition, form }) => {
      for (const construction of ["generated", "composed"] as const) {
        const specialised = specialisedOf(definition, construction);
        for (let seed = 0; seed < 50; seed++) {
          const sample = messageSample(form, seededRandom(seed));
          const bytes = specialised?.encode(sample) ?? new Uint8Array();
          expect(specialised?.decode(bytes)?.type).toBe(definition.type);
        }
      }
    },
  );

  test.each([
    ["an unknown field", { ...toy, extra: 1 }],
    ["a field of another kind", { ...toy, name: 5 }],
    ["an array too short", { ...toy, points: [[1]] }],
    ["no value where one is required", { ...toy, id: undefined }],
    ["an instance", { ...toy, inner: new Date(0) }],
    ["an inherited field", { ...toy, inner: Object.create({ note: "x" }) }],
    ["text longer than a head of two bytes says", { ...toy, name: "x".repeat(70_000) }],
    ["a message larger than the buffer", { ...toy, picture: new Uint8Array(3_000_000) }],
  ])("declines %s", (_what, unfit) => {
    for (const construction of ["generated", "composed"] as const)
      expect(specialisedOf(Toy, construction)?.encode(unfit)).toBeUndefined();
  });

  test.each([
    ["an unknown field", { ...toyFields, extra: 1 }],
    ["another order of fields", Object.fromEntries(Object.entries(toyFields).reverse())],
    ["a value of another kind", { ...toyFields, level: null }],
    ["a field too few", { id: 7 }],
    ["an extension", { ...toyFields, inner: new Date(0) }],
  ])("declines bytes with %s", (_what, fields) => {
    for (const construction of ["generated", "composed"] as const)
      expect(specialisedOf(Toy, construction)?.decode(libraryEncode(fields))).toBeUndefined();
  });
});

describe.each(constructions)("a codec of construction %s", (construction) => {
  const codec = createCodec([Toy, CameraRecord], { construction });

  test("gives back what it took", () => {
    expect(codec.decode("toy", codec.encode(toy))).toStrictEqual(toy);
    expect(libraryDecode(codec.encode(toy))).toStrictEqual(toyFields);
  });

  test("leaves out what is undefined", () => {
    const { speed: _speed, picture: _picture, ...rest } = toy;
    expect(codec.decode("toy", codec.encode({ ...rest, speed: undefined } as Tagged))).toStrictEqual(rest);
  });

  test("keeps unknown fields on decode, and leaves them out on read", () => {
    const bytes = codec.encode({ ...toy, later: [1] } as Tagged);
    expect(codec.decode("toy", bytes)).toStrictEqual({ ...toy, later: [1] } as Tagged);
    expect(codec.read("toy", bytes)).toStrictEqual({ ok: true, message: toy });
  });

  test("hands out bytes of their own, which the next message leaves as they are", () => {
    const first = codec.encode(toy);
    const copy = first.slice();
    codec.encode({ ...toy, name: "other" } as Tagged);
    expect(first).toEqual(copy);
    expect(first.buffer.byteLength).toBe(first.length);
  });

  test("gives raw bytes as a view on what it was given", () => {
    for (const picture of [new Uint8Array([1, 2]), new Uint8Array(40_000).fill(7)]) {
      const bytes = codec.encode({ ...toy, picture } as Tagged);
      const decoded = codec.decode("toy", bytes);
      if (!("picture" in decoded && decoded.picture instanceof Uint8Array)) throw new Error("the picture is gone");
      expect(decoded.picture).toEqual(picture);
      expect(decoded.picture.buffer).toBe(bytes.buffer);
    }
  });

  test("decodes what it would not read", () => {
    const unfit = { ...toy, id: -1, level: "none" };
    expect(codec.decode("toy", codec.encode(unfit))).toStrictEqual(unfit);
    expect(codec.read("toy", codec.encode(unfit)).ok).toBeFalse();
  });

  test("fills in defaults on read alone", () => {
    const bytes = libraryEncode({ id: 1, name: "a", url: "sim://junction", ownerEpoch: 1 });
    const camera = { type: "camera.record", id: 1, name: "a", url: "sim://junction", ownerEpoch: 1 };
    expect(codec.decode("camera.record", bytes)).toStrictEqual(camera);
    expect(codec.read("camera.record", bytes)).toStrictEqual({
      ok: true,
      message: { ...camera, fps: 2, loop: false, enabled: true, deleted: false, configured: false } as Tagged,
    });
  });

  test("carries messages that are not declared, and refuses to read them", () => {
    const own = { type: "sweep", at: 5, what: ["x"] };
    expect(codec.decode("sweep", codec.encode(own))).toStrictEqual(own);
    expect(codec.read("sweep", codec.encode(own))).toEqual({
      ok: false,
      failure: { code: "unknownType", detail: 'no message is called "sweep"' },
    });
  });

  test("takes bytes that stand in the middle of a larger buffer", () => {
    const bytes = codec.encode(toy);
    const room = new Uint8Array(40_000 + bytes.length).fill(0xff);
    room.set(bytes, 100);
    expect(codec.decode("toy", room.subarray(100, 100 + bytes.length))).toStrictEqual(toy);
  });

  test("is not misled by what an earlier, longer message left behind", () => {
    const long = codec.encode({ ...toy, name: "n".repeat(40) } as Tagged);
    for (let length = 0; length < long.length; length++) {
      codec.decode("toy", long);
      expect(codec.read("toy", long.slice(0, length)).ok).toBeFalse();
    }
  });
});

const repeated = (count: number, ...bytes: number[]) =>
  Uint8Array.from({ length: count * bytes.length }, (_, at) => bytes[at % bytes.length] ?? 0);
const hostile = [
  ["no bytes", new Uint8Array(), "cut off"],
  ["a first byte that means nothing", new Uint8Array([0xc1]), "no value begins with 0xc1"],
  ["bytes behind the message", new Uint8Array([0x80, 0x00]), "1 bytes behind the end of the value"],
  ["an array that is larger than its bytes", new Uint8Array([0xdc, 0x40, 0x00]), "cut off"],
  [
    "an array that is too large",
    new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff]),
    "array of length 4294967295, at most 16384 is taken",
  ],
  ["a map that is too large", new Uint8Array([0xde, 0x04, 0x01]), "map of length 1025, at most 1024 is taken"],
  ["a string that is too long", new Uint8Array([0xdb, 0, 1, 0, 1]), "string of length 65537, at most 65536 is taken"],
  ["raw bytes that are too long", new Uint8Array([0xc6, 0, 0x10, 0, 1]), "bin of length 1048577, at most 1048576 is taken"],
  ["an extension that is too long", new Uint8Array([0xc7, 65, 1]), "ext of length 65, at most 64 is taken"],
  ["arrays in arrays without end", repeated(2_000_000, 0x91), "nested deeper than 32"],
  ["large arrays in large arrays", repeated(600_000, 0xdc, 0x40, 0x00), "nested deeper than 32"],
  ["maps in maps without end", repeated(600_000, 0x81, 0xa1, 0x61), "nested deeper than 32"],
  ["more bytes than a record may have", new Uint8Array(2_097_153), "2097153 bytes, at most 2097152 are taken"],
] as const;

test.each(rows(hostile))("%s: refuses hostile bytes %p", (construction, [, bytes, detail]) => {
  const codec = createCodec([Toy], { construction });
  expect(codec.read("toy", bytes)).toEqual({ ok: false, failure: { code: "notMessagePack", detail } });
});

test.each(constructions)("%s: says of what is no message which field is wrong", (construction) => {
  const codec = createCodec([Toy], { construction });
  const read = codec.read(
    "toy",
    libraryEncode({
      ...toyFields,
      points: [
        [1, 2],
        [3, "4"],
      ],
    }),
  );
  expect(read).toEqual({
    ok: false,
    failure: { code: "invalidField", detail: "points.1.1: Invalid input: expected number, received string" },
  });
  expect(codec.read("toy", libraryEncode(5))).toEqual({
    ok: false,
    failure: { code: "invalidField", detail: ": Invalid input: expected object, received number" },
  });
  expect(codec.read("toy", new Uint8Array([0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 0x80]))).toEqual({
    ok: false,
    failure: { code: "notMessagePack", detail: "The key __proto__ is not allowed" },
  });
});

test("where the host forbids generated code, codecs are composed", () => {
  expect(preferredConstruction()).toBe("generated");
  const forbid = () => {
    throw new EvalError("code generation from strings is disallowed");
  };
  expect(preferredConstruction(forbid)).toBe("composed");
});
