/**
 * Values of three topics as the traffic monitor's own programs write and read them: JSON by their field names, pictures as
 * base64. What of ours they do not know rides along beside; what theirs lack is derived (decision 0019).
 */
import { z } from "zod";
import { createCodec } from "../../protocols/codec.ts";
import { DetectionResult } from "../../protocols/detection.ts";
import type { MessageDefinition, Tagged } from "../../protocols/message.ts";
import { AssessmentTask } from "../../protocols/task.ts";
import { topics } from "../../protocols/topics.ts";
import { AssessmentResult } from "../../protocols/verdict.ts";
import type { RecordForm } from "../../runtime/bus-kafka/records.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { detectionFrom, detectionTo } from "./original/detection.ts";
import type { Fields, Reading } from "./original/fields.ts";
import { resultFrom, resultTo } from "./original/result.ts";
import { taskFrom, taskTo } from "./original/task.ts";

type Shape = {
  readonly definition: MessageDefinition;
  readonly idOf: (message: Tagged) => string;
  readonly from: (value: unknown, reading: Reading) => Fields;
  readonly to: (message: Tagged) => Fields;
};

/** The message has been held against this definition's schema, or was read by it. */
const shape = <M extends Tagged>(
  definition: MessageDefinition,
  idOf: (message: M) => string,
  from: Shape["from"],
  to: (message: M) => Fields,
): Shape => ({ definition, from, idOf: (message) => idOf(message as M), to: (message) => to(message as M) });

const shapes: Readonly<Record<string, Shape>> = {
  [topics.detections.name]: shape(DetectionResult, topics.detections.idOf, detectionFrom, detectionTo),
  [topics.tasks.name]: shape(AssessmentTask, topics.tasks.idOf, taskFrom, taskTo),
  [topics.results.name]: shape(AssessmentResult, topics.results.idOf, resultFrom, resultTo),
};

const valueBytesMax = 64 * 1_048_576;
const reasonMax = 300;

const firstIssue = (error: z.ZodError): string => {
  const [issue] = error.issues;
  const where = issue?.path.join(".") ?? "";
  return `${where === "" ? "" : `${where}: `}${issue?.message ?? "does not fit"}`.slice(0, reasonMax);
};

export type OriginalOptions = {
  /** From capture to the end of an assessment, for tasks that name none. */
  readonly deadlineMs: number;
};

export const originalForm = ({ deadlineMs }: OriginalOptions): RecordForm => {
  const codec = createCodec(Object.values(shapes).map(({ definition }) => definition));
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const encoder = new TextEncoder();

  const parse = (value: Uint8Array): { readonly json: unknown } | { readonly unreadable: string } => {
    if (value.length > valueBytesMax)
      return { unreadable: `not JSON: ${value.length} bytes, at most ${valueBytesMax} are taken` };
    try {
      return { json: JSON.parse(decoder.decode(value)) };
    } catch (thrown) {
      return { unreadable: `not JSON: ${reasonOf(thrown)}`.slice(0, reasonMax) };
    }
  };

  return {
    contentType: "application/json",

    write(topic, type, bytes) {
      const found = Object.hasOwn(shapes, topic) ? shapes[topic] : undefined;
      if (found?.definition.type !== type) return null;
      const read = codec.read(type, bytes);
      return read.ok ? encoder.encode(JSON.stringify(found.to(read.message))) : null;
    },

    read(topic, value, appendedAtMs) {
      const found = Object.hasOwn(shapes, topic) ? shapes[topic] : undefined;
      if (found === undefined) return { unreadable: `${topic} has no records in JSON` };
      const parsed = parse(value);
      if ("unreadable" in parsed) return parsed;
      try {
        const { type, schema } = found.definition;
        const message = { ...schema.parse(found.from(parsed.json, { appendedAtMs, deadlineMs })), type };
        const { traceId } = message as { readonly traceId?: unknown }; // a field of each of the three
        return { bytes: codec.encode(message), id: found.idOf(message), trace: typeof traceId === "string" ? traceId : "" };
      } catch (thrown) {
        return {
          unreadable: `JSON, ${thrown instanceof z.ZodError ? firstIssue(thrown) : reasonOf(thrown)}`.slice(0, reasonMax),
        };
      }
    },
  };
};
