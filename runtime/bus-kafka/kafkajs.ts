/**
 * kafkajs, mended at import. Its request queue re-arms a timer for ever, with a negative delay: about a thousand timers a
 * second for each idle connection (tulios/kafkajs 1751, 1704, 1556). Everything of ours takes kafkajs from here.
 */
import { createRequire } from "node:module";
import kafkajs from "kafkajs";
import { systemClock } from "../clock.ts";

/** The fields of kafkajs's RequestQueue that the mend reads. */
type RequestQueue = { readonly pending: readonly unknown[]; readonly throttledUntil: number };
type Schedule = (this: RequestQueue) => void;

const inside = createRequire(import.meta.url);
const queues = inside("kafkajs/src/network/requestQueue/index.js") as {
  prototype: { scheduleCheckPendingRequests?: Schedule };
};

const mendRequestQueue = (): void => {
  const schedule = queues.prototype.scheduleCheckPendingRequests;
  if (typeof schedule !== "function") throw new Error("kafkajs has no RequestQueue.scheduleCheckPendingRequests to mend");
  queues.prototype.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0 || this.throttledUntil > systemClock.nowMs()) schedule.call(this);
  };
};

mendRequestQueue();

export const { Kafka, logLevel } = kafkajs;
