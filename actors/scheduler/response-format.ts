/** How the form of an answer is asked for on the wire, from the strictest down. The fields are those of `config/prompts/*.txt`. */
import type { Format } from "./group.ts";

const text = { type: "string" };
const list = (items: object) => ({ type: "array", items });

const answerSchema = {
  type: "object",
  properties: {
    observations: list(text),
    verdict: { type: "string", enum: ["confirmed", "rejected", "uncertain"] },
    riskLevel: { type: "string", enum: ["none", "low", "medium", "high"] },
    confidence: { type: "number" },
    riskTypes: list(text),
    triggerObjectIds: list({ type: "integer" }),
    dangerObjectCount: { type: "integer" },
    description: text,
  },
  required: [
    "observations",
    "verdict",
    "riskLevel",
    "confidence",
    "riskTypes",
    "triggerObjectIds",
    "dangerObjectCount",
    "description",
  ],
  additionalProperties: false,
};

/** The request's `response_format`; none for plain text. */
export const responseFormat = (format: Format): object => {
  if (format === "text") return {};
  if (format === "json_object") return { response_format: { type: "json_object" } };
  return { response_format: { type: "json_schema", json_schema: { name: "assessment", strict: true, schema: answerSchema } } };
};
