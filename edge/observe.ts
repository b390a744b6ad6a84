/** Turns what the runtime tells of itself into metrics and log lines, and watches the main loop. */
import { type Cancel, type Clock, every } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Observer } from "../runtime/observer.ts";
import type { SystemNode } from "../runtime/supervisor/node.ts";

/** One actor of many of its kind counts under the kind: `vedette/lanes/lane-7/tracker` is `lanes/tracker`. */
const actorLabel = (path: string): string =>
  path
    .split("/")
    .filter((part, index) => index > 0 && !/^(lane|camera)-\d+$/.test(part))
    .join("/");

export const observe = (metrics: Metrics, log: Log): Observer => ({
  dropped: (actor, type, reason, count) => metrics.dropped.inc({ actor: actorLabel(actor), type, reason }, count),
  failed(actor, type, reason, stack) {
    metrics.pipelineErrors.inc({ error_type: type, component: actorLabel(actor) });
    log.error("actor.failed", { actor, type, reason, stack });
  },
  restarted(actor, restarts) {
    metrics.restarts.inc({ actor: actorLabel(actor) });
    log.info("actor.restarted", { actor, restarts });
  },
  escalated: (supervisor, reason) => log.error("actor.escalated", { supervisor, reason }),
  sent: (topic, key) => metrics.busSent.inc({ topic, camera_id: key }),
  sendFailed: (topic, reason) =>
    metrics.busSendErrors.inc({ topic, error_type: metrics.labelWithin("error_type", reason.slice(0, 60), 50) }),
  appendFailed: (actor, reason) => log.warn("bus.append-failed", { actor, reason }),
  received: (topic, consumer_group) => metrics.busReceived.inc({ topic, consumer_group }),
  retried: (topic, record, reason, attempts) => log.warn("delivery.retried", { topic, record, reason, attempts }),
  deadLettered(topic, record, disposition, reason) {
    metrics.deadLetters.inc({ topic, disposition });
    log.error("delivery.dead-lettered", { topic, record, disposition, reason });
  },
});

const lagPeriodMs = 20;

/** Measures how late the loop's timers are. */
export const watchLoop = (metrics: Metrics, clock: Clock): Cancel => {
  let dueMs = clock.monotonicMs() + lagPeriodMs;
  return every(clock, lagPeriodMs, () => {
    const nowMs = clock.monotonicMs();
    metrics.loopLag.observe(Math.max(0, nowMs - dueMs) / 1000);
    dueMs = nowMs + lagPeriodMs;
  });
};

/** Sets the depth gauges from a picture of the tree; called when metrics are asked for. */
export const measureMailboxes = (metrics: Metrics, root: SystemNode): void => {
  const depths = new Map<string, number>();
  const visit = (node: SystemNode, path: string) => {
    if (node.mailbox) depths.set(actorLabel(path), (depths.get(actorLabel(path)) ?? 0) + node.mailbox.depth);
    for (const child of node.children) visit(child, `${path}/${child.name}`);
  };
  visit(root, root.name);
  metrics.mailboxDepth.reset();
  for (const [actor, depth] of depths) metrics.mailboxDepth.set({ actor }, depth);
};
