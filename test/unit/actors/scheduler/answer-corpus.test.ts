/** Every answer of `test/fixtures/answers`, against what is to be read in it. */
import { describe, expect, test } from "bun:test";
import { parseAnswer } from "../../../../actors/scheduler/answer.ts";
import { answerFamilies, asked } from "../../../../tools/fuzz-answers/corpus.ts";

describe.each(answerFamilies().map(({ family, rows }) => [family, rows] as const))("%s", (_, rows) => {
  test.each(rows.map((row) => [row.name, row] as const))("%s", (_, { name: _name, answer, reads, fails, ...expected }) => {
    const parsed = parseAnswer(answer, asked);
    if (!parsed.ok) return expect({ fails: parsed.reason }).toEqual({ fails: fails ?? "" });
    const { assessment, pictureText, findings } = parsed;
    expect({ reads: `${assessment.riskLevel} ${assessment.verdict}` }).toEqual({ reads: reads ?? "" });
    const found = {
      confidence: assessment.confidence,
      types: assessment.riskTypes,
      ids: assessment.triggerObjectIds ?? null,
      count: assessment.dangerObjectCount ?? null,
      says: assessment.description,
      pictureText,
      findings,
    };
    expect(found).toMatchObject(expected);
  });
});

test("there are more than two hundred", () => {
  expect(answerFamilies().flatMap(({ rows }) => rows).length).toBeGreaterThanOrEqual(200);
});
