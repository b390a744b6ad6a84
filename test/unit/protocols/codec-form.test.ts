/** What of a schema the fast way knows; what it does not know, it must leave alone. */
import { describe, expect, test } from "bun:test";
import { encode as libraryEncode } from "@msgpack/msgpack";
import { z } from "zod";
import { messageFormOf } from "../../../protocols/codec/form.ts";
import { createCodec } from "../../../protocols/codec.ts";
import { Bytes, message } from "../../../protocols/message.ts";

const messageWith = (value: z.ZodType) => message("toy", "For tests.", { value });
const formWith = (value: z.ZodType) => messageFormOf(messageWith(value))?.body.fields[0];

describe("a schema has a form", () => {
  test.each([
    [
      "whole numbers with bounds",
      z.int().min(0).max(9),
      {
        kind: "number",
        isInteger: true,
        bounds: [
          { operator: ">=", value: 0 },
          { operator: "<=", value: 9 },
        ],
      },
    ],
    [
      "open bounds",
      z.number().gt(1).lt(2),
      {
        kind: "number",
        isInteger: false,
        bounds: [
          { operator: ">", value: 1 },
          { operator: "<", value: 2 },
        ],
      },
    ],
    ["text with lengths", z.string().min(1).max(8), { kind: "string", lengths: { min: 1, max: 8 }, patterns: [] }],
    [
      "text with a pattern",
      z.string().regex(/^a+$/),
      { kind: "string", lengths: { min: 0, max: Number.POSITIVE_INFINITY }, patterns: [/^a+$/] },
    ],
    ["raw bytes, described", Bytes.describe("JPEG"), { kind: "bytes" }],
    [
      "an array of one",
      z.array(z.boolean()).length(1),
      { kind: "array", item: { kind: "boolean" }, lengths: { min: 1, max: 1 } },
    ],
    ["a choice of words", z.enum(["a", "b"]), { kind: "choice", of: "string", values: ["a", "b"] }],
    ["a choice of numbers", z.union([z.literal(1), z.literal(0)]), { kind: "choice", of: "number", values: [1, 0] }],
    [
      "nullable text",
      z.string().nullable(),
      { kind: "nullable", inner: { kind: "string", lengths: { min: 0, max: Number.POSITIVE_INFINITY }, patterns: [] } },
    ],
    [
      "kinds that the first byte tells apart",
      z.union([z.boolean(), z.array(z.boolean())]),
      {
        kind: "union",
        options: [
          { kind: "boolean" },
          { kind: "array", item: { kind: "boolean" }, lengths: { min: 0, max: Number.POSITIVE_INFINITY } },
        ],
      },
    ],
  ] as const)("%s", (_what, schema, form) => {
    expect(formWith(schema)).toEqual({ key: "value", form, presence: "required" } as never);
    expect(messageFormOf(messageWith(schema))?.isComplete).toBeTrue();
  });

  test("with the presence of each field", () => {
    const fields = { a: z.string(), b: z.string().optional(), c: z.string().default("x") };
    const form = messageFormOf(message("toy", "For tests.", fields));
    expect(form?.body.fields.map(({ key, presence }) => [key, presence])).toEqual([
      ["a", "required"],
      ["b", "optional"],
      ["c", "defaulted"],
    ]);
  });
});

const Tree = z.object({
  get branches(): z.ZodArray<z.ZodType> {
    return z.array(Tree);
  },
});

/** Each with a value that it takes, and what it makes of it. */
const unknown: readonly (readonly [string, z.ZodType, unknown, unknown])[] = [
  ["a transform", z.string().transform((text) => text.length), "four", 4],
  ["a pipe", z.string().pipe(z.string().max(9)), "x", "x"],
  ["coercion", z.coerce.number(), "5", 5],
  ["a record", z.record(z.string(), z.number()), { a: 1 }, { a: 1 }],
  ["an object that keeps what it does not know", z.looseObject({ a: z.int() }), { a: 1, b: 2 }, { a: 1, b: 2 }],
  ["a schema that contains itself", Tree, { branches: [{ branches: [] }] }, { branches: [{ branches: [] }] }],
  ["anything", z.unknown(), [1], [1]],
  ["dates", z.date(), new Date(5_000), new Date(5_000)],
  ["a fallback", z.int().catch(3), "x", 3],
  ["a tuple with a rest", z.tuple([z.int()], z.string()), [1, "a"], [1, "a"]],
  [
    "objects that look alike at the first byte",
    z.union([z.object({ a: z.int() }), z.object({ b: z.int() })]),
    { b: 1 },
    { b: 1 },
  ],
  ["a choice of several kinds", z.literal([1, "a"]), "a", "a"],
  ["a custom rule that is not Bytes", z.custom<string>((value) => value === "yes"), "yes", "yes"],
];

test.each(unknown)("%s has none, and is left to the library", (_what, schema, value, parsed) => {
  const definition = messageWith(schema);
  expect(messageFormOf(definition)).toBeNull();
  const codec = createCodec([definition]);
  expect(codec.read("toy", libraryEncode({ value }))).toEqual({ ok: true, message: { type: "toy", value: parsed } as never });
});

test.each([
  ["a field called type", { type: z.string() }],
  ["a name that is no plain word", { "a-b": z.string() }],
  ["a name longer than its head can say", { ["n".repeat(32)]: z.string() }],
])("%s has none", (_what, shape) => {
  expect(messageFormOf(message("toy", "For tests.", shape))).toBeNull();
});

/** Each with a value of the right kind that the rule refuses. */
const unspoken: readonly (readonly [string, z.ZodType, unknown])[] = [
  ["a rule of one's own", z.string().refine((text) => text === "yes"), "no"],
  ["a format", z.uuid(), "no"],
  ["a format with a check of its own", z.string().url(), "no"],
  ["multiples", z.number().multipleOf(5), 4],
  ["narrow integers", z.int32(), 2 ** 40],
  ["a pattern that remembers its place", z.string().regex(/^a/g), "b"],
  ["a rule about an object", z.object({ a: z.int() }).refine(({ a }) => a > 0), { a: 0 }],
  ["a rule about a choice", z.enum(["a", "b"]).refine((value) => value === "a"), "b"],
  ["a rule about raw bytes", Bytes.refine((bytes) => bytes.length < 2), new Uint8Array(2)],
  [
    "a rule about what may be absent",
    z
      .int()
      .optional()
      .refine((value) => value !== 5),
    5,
  ],
  [
    "a rule about what may be null",
    z
      .int()
      .nullable()
      .refine((value) => value !== 5),
    5,
  ],
  ["a rule about a union", z.union([z.int(), z.boolean()]).refine((value) => value !== 5), 5],
  ["a rule about an array", z.array(z.int()).refine((items) => items.length === 2), [1]],
];

test.each(unspoken)("%s is not in the form, so zod is asked", (_what, schema, value) => {
  const definition = messageWith(schema);
  expect(messageFormOf(definition)?.isComplete).toBeFalse();
  for (const construction of ["generated", "composed"] as const) {
    const codec = createCodec([definition], { construction });
    expect(codec.read("toy", libraryEncode({ value })).ok).toBeFalse();
    expect(codec.decode("toy", libraryEncode({ value }))).toEqual({ type: "toy", value } as never);
  }
});
