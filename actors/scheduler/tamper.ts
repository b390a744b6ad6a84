/**
 * Whether text in the picture may have steered the model: it reports such text, and its verdict contradicts what was measured.
 * Measurements come from motion, which no sign can change (printed signs steer vision models: CHAI, UC Santa Cruz 2026).
 */

import { worstRisk } from "../../protocols/ids.ts";
import { isIncidentLevel } from "../../protocols/incident.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import type { Verdict } from "../../protocols/verdict.ts";
import type { ReadAnswer } from "./answer.ts";

type Weighed = ReadAnswer["assessment"] & Pick<Verdict, "tamper" | "pictureText">;

/**
 * A measured danger that the model denies is kept at its measured level, as uncertain; one that it asserts without any measured
 * hazard stands as it said. So the flag never lowers a risk.
 */
export const weighed = ({ hazards, riskLevel, image }: AssessmentTask, { assessment, pictureText }: ReadAnswer): Weighed => {
  if (pictureText.length === 0 || image.byteLength === 0) return assessment;
  const isMeasured = hazards.length > 0 && isIncidentLevel(riskLevel);
  const denies = isMeasured && (assessment.verdict === "rejected" || !isIncidentLevel(assessment.riskLevel));
  const asserts = hazards.length === 0 && !isIncidentLevel(riskLevel) && isIncidentLevel(assessment.riskLevel);
  if (!denies && !asserts) return assessment;
  const flagged = { ...assessment, tamper: true, pictureText: [...pictureText] };
  return denies ? { ...flagged, verdict: "uncertain", riskLevel: worstRisk([riskLevel, assessment.riskLevel]) } : flagged;
};
