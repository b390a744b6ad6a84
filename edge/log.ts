/**
 * The process's log: pino, one JSON line an event on standard output. Whatever looks like a secret is masked in every
 * value, and a warning that repeats is held back and counted.
 */
import pino from "pino";
import { isSecretName, maskSecrets } from "../config/secrets.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log, LogEvent, LogFields } from "../runtime/log.ts";

export type LogOptions = {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly clock: Clock;
  /** Values that are masked wherever they appear: the secrets that this process has read. */
  readonly secrets?: readonly string[];
  /** Standard output when left out. */
  readonly destination?: pino.DestinationStream;
};

export type ProcessLog = Log & {
  /** Writes the counts of what was held back. Lines themselves are written at once. */
  readonly flush: () => void;
};

const textMax = 4_000;
const itemsMax = 100;
const depthMax = 6;

/** Makes any value fit for a line: masked, of bounded size, without cycles. */
const createCleaner = (secrets: readonly string[]) => {
  const known = secrets.filter((secret) => secret.length >= 4);
  const cleanText = (text: string): string => {
    // Masked before it is cut, so that no half of a secret is left at the end.
    const whole = text.length > 4 * textMax ? text.slice(0, 4 * textMax) : text;
    const masked = maskSecrets(known.reduce((left, secret) => left.replaceAll(secret, "***"), whole));
    return masked.length > textMax ? `${masked.slice(0, textMax)}…` : masked;
  };
  const clean = (value: unknown, depth: number): unknown => {
    if (typeof value === "string") return cleanText(value);
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || value === null) return value;
    if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
    if (depth >= depthMax) return "…";
    if (value instanceof Error) return cleanError(value, depth);
    if (value instanceof Map || value instanceof Set) return clean([...value], depth);
    if (Array.isArray(value)) return value.slice(0, itemsMax).map((item) => clean(item, depth + 1));
    return cleanFields(value, depth + 1);
  };
  const cleanError = (error: Error, depth: number): unknown => {
    const { name, message, stack, cause } = error;
    const own = cleanFields({ ...error }, depth + 1);
    return { type: name, message: cleanText(message), ...own, stack: clean(stack, depth), cause: clean(cause, depth + 1) };
  };
  const cleanFields = (fields: object, depth: number): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(fields)
        .slice(0, itemsMax)
        .map(([key, value]) => [cleanText(key), isSecretName(key) && value !== undefined ? "***" : clean(value, depth)]),
    );
  return (fields: LogFields) => cleanFields(fields, 0);
};

/** So many lines of one kind in a window are written; the rest is counted. */
const repeat = { lines: 5, windowMs: 60_000, kindsMax: 1_000 };
const kindFields = ["actor", "cameraId", "topic", "group", "key", "reason"] as const;

type Held = {
  startedAtMs: number;
  written: number;
  suppressed: number;
  readonly event: LogEvent;
  readonly level: "warn" | "error";
};

/** Decides which repeated lines are written. Bounded: the kind that began first is forgotten first. */
const createLimiter = (clock: Clock) => {
  const kinds = new Map<string, Held>();
  return {
    /** The number of lines held back before this one; null when this one is held back too. */
    admit(level: "warn" | "error", event: LogEvent, fields: LogFields): number | null {
      const kind = [event, ...kindFields.map((field) => String(fields[field] ?? ""))].join(" ").slice(0, 400);
      const now = clock.monotonicMs();
      const held = kinds.get(kind);
      if (held && now - held.startedAtMs < repeat.windowMs) {
        if (held.written < repeat.lines) {
          held.written += 1;
          return 0;
        }
        held.suppressed += 1;
        return null;
      }
      kinds.delete(kind);
      const oldest = kinds.size >= repeat.kindsMax ? kinds.keys().next().value : undefined;
      if (oldest !== undefined) kinds.delete(oldest);
      kinds.set(kind, { startedAtMs: now, written: 1, suppressed: 0, event, level });
      return held?.suppressed ?? 0;
    },
    /** The kinds with lines held back, each once. */
    drain(): Held[] {
      const waiting = [...kinds.values()].filter(({ suppressed }) => suppressed > 0).map((held) => ({ ...held }));
      for (const held of kinds.values()) held.suppressed = 0;
      return waiting;
    },
  };
};

const standardOutput = (): pino.DestinationStream => {
  // Written at once: the last lines before an exit are the ones that matter, and there are few of them.
  const destination = pino.destination({ fd: 1, sync: true });
  // A reader that went away (`| head`) must not end the process.
  destination.on("error", () => {});
  return destination;
};

/** The process's log. */
export const createLog = ({ level, clock, secrets = [], destination = standardOutput() }: LogOptions): ProcessLog => {
  const clean = createCleaner(secrets);
  const limiter = createLimiter(clock);
  const lines = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":${clock.nowMs()}`,
      formatters: { level: (label) => ({ level: label }) },
      // Errors are made plain by `clean`; pino's own treatment of `err` would add their text a second time.
      errorKey: "pinoError",
      serializers: { err: (value: unknown) => value },
    },
    destination,
  );

  const bound = (bindings: LogFields): Log => {
    const limited = (severity: "warn" | "error", event: LogEvent, fields: LogFields) => {
      if (!lines.isLevelEnabled(severity)) return;
      const all = { ...bindings, ...fields };
      const suppressed = limiter.admit(severity, event, all);
      if (suppressed !== null) lines[severity]({ event, ...clean(all), ...(suppressed > 0 ? { suppressed } : {}) });
    };
    return {
      debug(event, fields = {}) {
        if (lines.isLevelEnabled("debug")) lines.debug({ event, ...clean({ ...bindings, ...fields }) });
      },
      info: (event, fields = {}) => lines.info({ event, ...clean({ ...bindings, ...fields }) }),
      warn: (event, fields = {}) => limited("warn", event, fields),
      error: (event, fields = {}) => limited("error", event, fields),
      with: (fields) => bound({ ...bindings, ...fields }),
    };
  };

  return {
    ...bound({}),
    flush() {
      for (const { level: severity, event, suppressed } of limiter.drain()) lines[severity]({ event, suppressed });
    },
  };
};
