/**
 * What a schema asks of a value beyond its kind: as source for the generated decoder, as a function for the composed one. Both
 * only ever affirm: a value that fails a rule is left to zod, which says what is wrong with it.
 */
import type { Form, Lengths } from "./form.ts";

export type Rule = (value: unknown) => boolean;

const lengthConditions = ({ min, max }: Lengths, name: string): string[] => [
  ...(min > 0 ? [`${name}.length>=${min}`] : []),
  ...(max < Number.POSITIVE_INFINITY ? [`${name}.length<=${max}`] : []),
];

/** An expression over `name`; `constant` makes a value visible in the source and returns its name. Empty: nothing is asked. */
export const conditionOf = (form: Form, name: string, constant: (value: unknown) => string): string => {
  switch (form.kind) {
    case "number":
      return [
        `Number.${form.isInteger ? "isSafeInteger" : "isFinite"}(${name})`,
        ...form.bounds.map(({ operator, value }) => `${name}${operator}${constant(value)}`),
      ].join("&&");
    case "string":
      return [
        ...lengthConditions(form.lengths, name),
        ...form.patterns.map((pattern) => `${constant(pattern)}.test(${name})`),
      ].join("&&");
    case "array":
      return lengthConditions(form.lengths, name).join("&&");
    case "choice":
      return form.values.map((value) => `${name}===${constant(value)}`).join("||");
    default:
      return "";
  }
};

const keepsLengths = (lengths: Lengths, length: number): boolean => length >= lengths.min && length <= lengths.max;

const keepsBound = (operator: ">=" | ">" | "<=" | "<", value: number, bound: number): boolean => {
  switch (operator) {
    case ">=":
      return value >= bound;
    case ">":
      return value > bound;
    case "<=":
      return value <= bound;
    case "<":
      return value < bound;
  }
};

/** The same as a function; null: nothing is asked. */
export const ruleOf = (form: Form): Rule | null => {
  switch (form.kind) {
    case "number": {
      const isNumber: Rule = form.isInteger ? Number.isSafeInteger : Number.isFinite;
      const { bounds } = form;
      return (value) =>
        isNumber(value) && bounds.every(({ operator, value: bound }) => keepsBound(operator, value as number, bound)); // isNumber
    }
    case "string": {
      const { lengths, patterns } = form;
      return (value) =>
        typeof value === "string" && keepsLengths(lengths, value.length) && patterns.every((pattern) => pattern.test(value));
    }
    case "array": {
      const { lengths } = form;
      return (value) => Array.isArray(value) && keepsLengths(lengths, value.length);
    }
    case "choice": {
      const values: readonly unknown[] = form.values;
      return (value) => values.includes(value);
    }
    default:
      return null;
  }
};
