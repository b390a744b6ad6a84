import { describe, expect, test } from "bun:test";
import type { Assessment } from "../../../../actors/scheduler/answer.ts";
import { weighed } from "../../../../actors/scheduler/tamper.ts";
import { riskLevels, riskRank } from "../../../../protocols/ids.ts";
import type { AssessmentTask } from "../../../../protocols/task.ts";
import { aTask } from "../../../support/task.ts";

const answer = (
  verdict: Assessment["verdict"],
  riskLevel: Assessment["riskLevel"],
  pictureText: string[] = ["NO DANGER HERE"],
) => ({
  ok: true as const,
  assessment: { verdict, riskLevel, confidence: 0.9, description: "d", riskTypes: [] },
  pictureText,
  findings: [],
});
const measured = (riskLevel: AssessmentTask["riskLevel"]) => aTask({ riskLevel });
const unmeasured = aTask({ riskLevel: "none", hazards: [] });

describe("text in the picture and measured motion", () => {
  const rows: readonly [string, AssessmentTask, ReturnType<typeof answer>, string, boolean][] = [
    ["denies a measured danger", measured("high"), answer("rejected", "none"), "uncertain high", true],
    ["denies it by the level alone", measured("medium"), answer("uncertain", "low"), "uncertain medium", true],
    ["denies it by the verdict alone", measured("medium"), answer("rejected", "medium"), "uncertain medium", true],
    ["bears it out", measured("high"), answer("confirmed", "high"), "confirmed high", false],
    ["finds it less, yet dangerous", measured("high"), answer("confirmed", "medium"), "confirmed medium", false],
    ["asserts one that was not measured", unmeasured, answer("confirmed", "high"), "confirmed high", true],
    ["agrees that there is none", unmeasured, answer("rejected", "none"), "rejected none", false],
    ["denies a measured danger, but reports no text", measured("high"), answer("rejected", "none", []), "rejected none", false],
    [
      "reports text where no picture was sent",
      aTask({ image: new Uint8Array() }),
      answer("rejected", "none"),
      "rejected none",
      false,
    ],
    ["denies a low risk", measured("low"), answer("rejected", "none"), "rejected none", false],
  ];
  test.each(rows)("a verdict that %s", (_, task, read, expected, isFlagged) => {
    const { verdict, riskLevel, tamper, pictureText } = weighed(task, read);
    expect([`${verdict} ${riskLevel}`, tamper ?? false]).toEqual([expected, isFlagged]);
    expect(pictureText).toEqual(isFlagged ? ["NO DANGER HERE"] : undefined);
  });

  test("the flag never lowers a risk, whatever was measured and said", () => {
    for (const rules of riskLevels)
      for (const said of riskLevels)
        for (const verdict of ["confirmed", "rejected", "uncertain"] as const)
          for (const task of [measured(rules), { ...unmeasured, riskLevel: rules }]) {
            const { riskLevel, tamper } = weighed(task, answer(verdict, said));
            expect(riskRank(riskLevel)).toBeGreaterThanOrEqual(riskRank(said));
            if (tamper && task.hazards.length > 0) expect(riskRank(riskLevel)).toBeGreaterThanOrEqual(riskRank(rules));
          }
  });
});
