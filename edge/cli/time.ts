/** Times as people give them. */
import { usageFault } from "./command.ts";

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const timeForms = "epoch milliseconds, an ISO time, now, or how long ago such as 15m";

/** Epoch milliseconds of `text`, for people given as `--option`. */
export const timeOf = (option: string, text: string, nowMs: number): number => {
  const ago = /^(\d{1,6})([smhd])$/.exec(text);
  if (ago) return nowMs - Number(ago[1]) * (unitMs[ago[2] ?? ""] ?? 0);
  const timeMs = text === "now" ? nowMs : /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isFinite(timeMs)) return timeMs;
  throw usageFault(`--${option} takes ${timeForms}, not ${JSON.stringify(text)}`);
};
