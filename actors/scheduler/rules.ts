/** The assessor without a model: says of a group what its measured hazards say. Deterministic; needs no picture and no network. */
import type { HazardType } from "../../protocols/detection.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import type { Verdict } from "../../protocols/verdict.ts";

export type Language = "zh" | "en";

const hazardNames: Record<HazardType, Record<Language, string>> = {
  tailgating: { zh: "跟车过近", en: "tailgating" },
  "near-miss": { zh: "险些碰撞", en: "near miss" },
  "wrong-way": { zh: "逆行", en: "wrong way" },
  stalled: { zh: "车辆滞留", en: "stalled vehicle" },
  congestion: { zh: "交通拥堵", en: "congestion" },
};

const descriptionMax = 2_000;

const withHazards = ({ hazards }: AssessmentTask, language: Language): string => {
  const parts = hazards.map(({ type, memberTrackIds, evidence }) => {
    const name = hazardNames[type][language];
    const ids = memberTrackIds.join(language === "zh" ? "、" : ", ");
    return language === "zh"
      ? `${name}（目标 ${ids}：${evidence}）`
      : `${name} (${memberTrackIds.length === 1 ? "object" : "objects"} ${ids}: ${evidence})`;
  });
  return language === "zh" ? `规则判定：${parts.join("；")}` : `By rules: ${parts.join("; ")}`;
};

const withoutHazards = ({ spatial, groupMetadata }: AssessmentTask, language: Language): string => {
  const spacing = spatial.minSpacing.toFixed(1);
  return language === "zh"
    ? `规则判定：${groupMetadata.objectCount} 个目标，未发现危险行为，最小间距 ${spacing} 像素`
    : `By rules: ${groupMetadata.objectCount} objects, no dangerous act, least spacing ${spacing} pixels`;
};

/** `degraded` when a model should have been asked and none could be. */
export const assessByRules = (task: AssessmentTask, language: Language, status: "ok" | "degraded"): Verdict => {
  const { hazards } = task;
  const trigger = [...new Set(hazards.flatMap(({ memberTrackIds }) => memberTrackIds))].sort((a, b) => a - b);
  const description = hazards.length > 0 ? withHazards(task, language) : withoutHazards(task, language);
  return {
    taskId: task.taskId,
    groupIndex: task.groupIndex,
    groupKey: task.groupKey,
    status,
    verdict: hazards.length > 0 ? "confirmed" : "rejected",
    riskLevel: task.riskLevel,
    confidence: null, // a rule holds or does not; a share of certainty would be made up
    assessedBy: "rules",
    description: description.slice(0, descriptionMax).toWellFormed(),
    riskTypes: [...new Set(hazards.map(({ type }) => type))],
    dangerObjectCount: trigger.length,
    triggerObjectIds: trigger,
  };
};
