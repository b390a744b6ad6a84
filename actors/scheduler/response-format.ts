/** How the form of an answer is asked for on the wire, from the strictest down. The fields are those of `config/prompts/*.txt`. */
import type { Format } from "./group.ts";

const text = { type: "string" };
const list = (items: object) => ({ type: "array", items });

/** Providers that enforce a schema want every field required and no other allowed, at each level. */
const strict = (properties: Readonly<Record<string, object>>) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});

const answerSchema = strict({
  observations: list(text),
  pictureText: list(text),
  hazards: list(strict({ type: text, objectIds: list({ type: "integer" }) })),
  verdict: { type: "string", enum: ["confirmed", "rejected", "uncertain"] },
  riskLevel: { type: "string", enum: ["none", "low", "medium", "high"] },
  confidence: { type: "number" },
  dangerObjectCount: { type: "integer" },
  description: text,
});

/** The request's `response_format`; none for plain text. */
export const responseFormat = (format: Format): object => {
  if (format === "text") return {};
  if (format === "json_object") return { response_format: { type: "json_object" } };
  return { response_format: { type: "json_schema", json_schema: { name: "assessment", strict: true, schema: answerSchema } } };
};
