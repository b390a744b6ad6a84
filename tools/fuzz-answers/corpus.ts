/** The corpus of models' answers: `test/fixtures/answers/*.yaml`, checked as it is read. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { findings } from "../../actors/scheduler/answer.ts";

const Pieces = z.array(z.union([z.string(), z.strictObject({ unit: z.string(), times: z.int().min(1) })]));
const Row = z
  .strictObject({
    name: z.string(),
    answer: z
      .union([z.string(), Pieces])
      .transform((answer) =>
        typeof answer === "string"
          ? answer
          : answer.map((piece) => (typeof piece === "string" ? piece : piece.unit.repeat(piece.times))).join(""),
      ),
    reads: z.string().optional(),
    fails: z.string().optional(),
    confidence: z.number().nullable().optional(),
    types: z.array(z.string()).optional(),
    ids: z.array(z.int()).optional(),
    count: z.int().nullable().optional(),
    says: z.string().optional(),
    pictureText: z.array(z.string()).optional(),
    findings: z.array(z.enum(findings)).optional(),
  })
  .refine(({ reads, fails }) => (reads === undefined) !== (fails === undefined), "a row has either `reads` or `fails`");
export type AnswerRow = z.infer<typeof Row>;

/** What the question behind every row was about. */
export const asked = { groupIndex: 2, trackIds: new Set([7, 9, 12]) };

const folder = join(import.meta.dirname, "../../test/fixtures/answers");

export const answerFamilies = (): { readonly family: string; readonly rows: readonly AnswerRow[] }[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .sort()
    .map((file) => ({ family: file.slice(0, -5), rows: z.array(Row).parse(parse(readFileSync(join(folder, file), "utf8"))) }));
