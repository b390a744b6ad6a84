/** What the rest of the system sees of logging; `edge/log.ts` makes the real one with pino. */

/** The closed list of events. A log line says what happened, in one of these words, with fields. */
export type LogEvent =
  | "process.start"
  | "process.stopping"
  | "process.stopped"
  | "config.warning"
  | "server.listening"
  | "bus.ready"
  | "bus.away"
  | "bus.back"
  | "bus.append-failed"
  | "bus.spool-empty"
  | "bus.client"
  | "bus.unclean-stop"
  | "consumer.joined"
  | "consumer.failed"
  | "role.started"
  | "store.ready"
  | "store.failed"
  | "actor.failed"
  | "actor.restarted"
  | "actor.escalated"
  | "actor.ended"
  | "shutdown.phase"
  | "delivery.retried"
  | "delivery.dead-lettered"
  | "camera.state"
  /** The group of eyes has shared out the cameras: how many run here, and how many of them were begun, or ended, for it. */
  | "cameras.placed"
  | "clip.fetching"
  | "clip.ready"
  | "clip.missing"
  | "model.fetching"
  | "model.ready"
  | "model.missing"
  | "detector.ready"
  | "detector.failed"
  | "detector.hung"
  | "llm.failed"
  | "llm.group"
  | "llm.budget"
  | "llm.keys-unreadable"
  | "client.refused"
  | "client.lagging"
  | "request.failed";

export type LogFields = Readonly<Record<string, unknown>>;

export type Log = {
  readonly debug: (event: LogEvent, fields?: LogFields) => void;
  readonly info: (event: LogEvent, fields?: LogFields) => void;
  readonly warn: (event: LogEvent, fields?: LogFields) => void;
  readonly error: (event: LogEvent, fields?: LogFields) => void;
  /** A log that adds `fields` to each line. */
  readonly with: (fields: LogFields) => Log;
};

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silentLog };
