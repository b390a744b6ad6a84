/** Ids and the small shared scalars. Times are integer milliseconds since the epoch unless a name says otherwise. */
import { z } from "zod";

export const CameraId = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
export const TimestampMs = z.int().min(0);
export const MessageId = z.string().min(1).max(64);
export const TaskId = z.string().min(1).max(96);

/** `[x1, y1, x2, y2]` in pixels of the original frame, origin top left. */
export const Box = z.tuple([z.number(), z.number(), z.number(), z.number()]);
export type Box = readonly [number, number, number, number];

export const riskLevels = ["none", "low", "medium", "high"] as const;
export const RiskLevel = z.enum(riskLevels);
export type RiskLevel = (typeof riskLevels)[number];

export const riskRank = (level: RiskLevel): number => riskLevels.indexOf(level);
export const worstRisk = (levels: Iterable<RiskLevel>): RiskLevel => {
  let worst: RiskLevel = "none";
  for (const level of levels) if (riskRank(level) > riskRank(worst)) worst = level;
  return worst;
};

export const taskIdOf = (messageId: string, groupIndex: number): string => `${messageId}_group${groupIndex}`;
export const resultIdOf = (taskId: string): string => `${taskId}_result`;
