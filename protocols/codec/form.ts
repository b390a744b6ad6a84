/**
 * What a zod schema says about the wire, as plain data: what the specialised encoder and decoder are made from. A schema that
 * says more than this vocabulary can (transforms, lazy schemas, catch-alls) has no form, and the library serves its message.
 */
import type { z } from "zod";
import { Bytes, type MessageDefinition } from "../message.ts";

export type Scalar = string | number | boolean;
export type Bound = { readonly operator: ">=" | ">" | "<=" | "<"; readonly value: number };
export type Lengths = { readonly min: number; readonly max: number };

export type NumberForm = { readonly kind: "number"; readonly isInteger: boolean; readonly bounds: readonly Bound[] };
export type StringForm = { readonly kind: "string"; readonly lengths: Lengths; readonly patterns: readonly RegExp[] };
export type ArrayForm = { readonly kind: "array"; readonly item: Form; readonly lengths: Lengths };
export type Field = {
  readonly key: string;
  readonly form: Form;
  /** `defaulted` may be absent on the wire, and then zod puts a value in. */
  readonly presence: "required" | "optional" | "defaulted";
};
export type ObjectForm = { readonly kind: "object"; readonly fields: readonly Field[] };
/** One of a few values of one family. */
export type ChoiceForm = {
  readonly kind: "choice";
  readonly of: "string" | "number" | "boolean";
  readonly values: readonly Scalar[];
};
/** No two options share a family, so the first byte of a value tells which it is. */
export type UnionForm = { readonly kind: "union"; readonly options: readonly Form[] };

export type Form =
  | NumberForm
  | StringForm
  | ArrayForm
  | ObjectForm
  | ChoiceForm
  | UnionForm
  | { readonly kind: "boolean" }
  | { readonly kind: "bytes" }
  | { readonly kind: "tuple"; readonly items: readonly Form[] }
  | { readonly kind: "nullable"; readonly inner: Form };

export type MessageForm = {
  readonly type: string;
  readonly body: ObjectForm;
  /** Every rule of the schema is in the form, so a value that keeps the form's rules keeps the schema's. */
  readonly isComplete: boolean;
};

/** What the first byte of a value can tell apart. */
export type Family = "nil" | "boolean" | "number" | "string" | "bytes" | "array" | "map";

export const familiesOf = (form: Form): readonly Family[] => {
  switch (form.kind) {
    case "choice":
      return [form.of];
    case "nullable":
      return ["nil", ...familiesOf(form.inner)];
    case "union":
      return form.options.flatMap(familiesOf);
    case "tuple":
      return ["array"];
    case "object":
      return ["map"];
    default:
      return [form.kind];
  }
};

/** Kinds whose checks are looked at one by one. */
const spoken: readonly string[] = ["number", "string", "array"];

type Checks = readonly z.core.$ZodCheck<never>[] | undefined;
const anyLength: Lengths = { min: 0, max: Number.POSITIVE_INFINITY };

/** Keys that a literal in source or a store to a plain object would treat specially, or whose head is not one byte. */
const keyPattern = /^[a-z][A-Za-z0-9_]{0,30}$/;
const keysMax = 100;

/** One message's schema being read. */
type Reading = {
  /** False once a rule was met that the form cannot say. */
  isComplete: boolean;
  /** The schemas around the one at hand: one that contains itself has no form. */
  readonly around: Set<z.core.$ZodType>;
};

const defOf = (schema: z.core.$ZodType, reading: Reading): z.core.$ZodTypes["_zod"]["def"] => {
  const { def } = (schema as z.core.$ZodTypes)._zod; // the union of all schemas that zod has
  if (!spoken.includes(def.type) && def.checks?.length) reading.isComplete = false;
  return def;
};

const checksOf = (checks: Checks): readonly z.core.$ZodChecks["_zod"]["def"][] =>
  (checks ?? []).map((check) => (check as unknown as z.core.$ZodChecks)._zod.def); // the union of all checks that zod has

const isLength = (check: string): boolean => ["min_length", "max_length", "length_equals"].includes(check);

const lengthsOf = (checks: Checks): Lengths => {
  let { min, max } = anyLength;
  for (const def of checksOf(checks)) {
    if (def.check === "min_length") min = Math.max(min, def.minimum);
    else if (def.check === "max_length") max = Math.min(max, def.maximum);
    else if (def.check === "length_equals") [min, max] = [Math.max(min, def.length), Math.min(max, def.length)];
  }
  return { min, max };
};

const numberOf = (def: z.core.$ZodNumberDef, reading: Reading): NumberForm => {
  let isInteger = false;
  const bounds: Bound[] = [];
  const checks = checksOf(def.checks as Checks); // zod types them by the value they look at
  for (const check of "check" in def ? [def as z.core.$ZodNumberFormatDef, ...checks] : checks) {
    const value = "value" in check ? check.value : null;
    if (check.check === "number_format" && check.format === "safeint") isInteger = true;
    else if (check.check === "greater_than" && typeof value === "number")
      bounds.push({ operator: check.inclusive ? ">=" : ">", value });
    else if (check.check === "less_than" && typeof value === "number")
      bounds.push({ operator: check.inclusive ? "<=" : "<", value });
    else reading.isComplete = false;
  }
  return { kind: "number", isInteger, bounds };
};

const stringOf = (def: z.core.$ZodStringDef, reading: Reading): StringForm => {
  const patterns: RegExp[] = [];
  const checks = def.checks as Checks; // zod types them by the value they look at
  if ("check" in def) reading.isComplete = false; // a format of its own: z.uuid() and its like
  for (const check of checksOf(checks)) {
    const pattern = check.check === "string_format" && check.format === "regex" ? check.pattern : undefined;
    if (pattern && !pattern.global && !pattern.sticky) patterns.push(pattern);
    else if (!isLength(check.check)) reading.isComplete = false;
  }
  return { kind: "string", lengths: lengthsOf(checks), patterns };
};

const arrayOf = (def: z.core.$ZodArrayDef, reading: Reading): ArrayForm | null => {
  const item = formOf(def.element, reading);
  const checks = def.checks as Checks; // zod types them by the value they look at
  if (checksOf(checks).some(({ check }) => !isLength(check))) reading.isComplete = false;
  return item && { kind: "array", item, lengths: lengthsOf(checks) };
};

const fieldOf = (key: string, schema: z.core.$ZodType, reading: Reading): Field | null => {
  const def = defOf(schema, reading);
  const presence = def.type === "optional" ? "optional" : def.type === "default" ? "defaulted" : "required";
  const form = formOf(def.type === "optional" || def.type === "default" ? def.innerType : schema, reading);
  return form && { key, form, presence };
};

const objectOf = (def: z.core.$ZodObjectDef, reading: Reading): ObjectForm | null => {
  if (def.catchall) return null;
  const fields: Field[] = [];
  for (const [key, schema] of Object.entries(def.shape)) {
    const field = fieldOf(key, schema, reading);
    if (!field || !keyPattern.test(key)) return null;
    fields.push(field);
  }
  return fields.length > keysMax ? null : { kind: "object", fields };
};

const choiceOf = (values: readonly unknown[]): ChoiceForm | null => {
  for (const family of ["string", "number", "boolean"] as const) {
    const scalars = values.filter((value): value is Scalar => typeof value === family);
    if (scalars.length > 0 && scalars.length === values.length) return { kind: "choice", of: family, values: scalars };
  }
  return null;
};

/** The forms of all, or null when one has none. */
const formsOf = (schemas: readonly z.core.$ZodType[], reading: Reading): readonly Form[] | null => {
  const forms = schemas.map((schema) => formOf(schema, reading)).filter((form) => form !== null);
  return forms.length === schemas.length ? forms : null;
};

const unionOf = (def: z.core.$ZodUnionDef, reading: Reading): Form | null => {
  const options = formsOf(def.options, reading);
  if (!options) return null;
  if (options.every((option) => option.kind === "choice")) return choiceOf(options.flatMap(({ values }) => values));
  const families = options.flatMap(familiesOf);
  return new Set(families).size === families.length ? { kind: "union", options } : null;
};

const kindOf = (schema: z.core.$ZodType, reading: Reading): Form | null => {
  const def = defOf(schema, reading);
  if ("coerce" in def && def.coerce) return null;
  switch (def.type) {
    case "number":
      return numberOf(def, reading);
    case "string":
      return stringOf(def, reading);
    case "boolean":
      return { kind: "boolean" };
    case "custom":
      return "fn" in def && "fn" in Bytes._zod.def && def.fn === Bytes._zod.def.fn ? { kind: "bytes" } : null;
    case "array":
      return arrayOf(def, reading);
    case "tuple": {
      const items = def.rest ? null : formsOf(def.items, reading);
      return items && { kind: "tuple", items };
    }
    case "object":
      return objectOf(def, reading);
    case "enum":
      return choiceOf(Object.values(def.entries));
    case "literal":
      return choiceOf(def.values);
    case "nullable": {
      const inner = formOf(def.innerType, reading);
      return inner && !familiesOf(inner).includes("nil") ? { kind: "nullable", inner } : null;
    }
    case "union":
      return unionOf(def, reading);
    default:
      return null;
  }
};

const formOf = (schema: z.core.$ZodType, reading: Reading): Form | null => {
  const { around } = reading;
  if (around.has(schema)) return null;
  around.add(schema);
  const form = kindOf(schema, reading);
  around.delete(schema);
  return form;
};

/** Null when the schema says what a form cannot. */
export const messageFormOf = ({ type, schema }: MessageDefinition): MessageForm | null => {
  const reading: Reading = { isComplete: true, around: new Set() };
  const body = formOf(schema, reading);
  // The type of a message stands in the envelope; a field of that name would be lost under it.
  if (body?.kind !== "object" || body.fields.some(({ key }) => key === "type")) return null;
  return { type, body, isComplete: reading.isComplete };
};
