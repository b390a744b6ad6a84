/** Turns what the runtime tells of itself into metrics and log lines, and watches the main loop. */
import type { TopicDefinition } from "../protocols/topic.ts";
import type { Bus } from "../runtime/bus.ts";
import { type Cancel, type Clock, every } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Observer } from "../runtime/observer.ts";
import type { SystemNode } from "../runtime/supervisor/node.ts";

/** An actor counts under its name, and one of many of its kind under the kind: `vedette/eyes/camera-7` is `camera`. */
const actorLabel = (path: string): string => (path.split("/").at(-1) ?? path).replace(/-\d+$/, "");

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
  ended: (actor, reason) => log.info("actor.ended", { actor, reason }),
  phaseEnded: (phase, tookMs) => log.info("shutdown.phase", { phase, tookMs: Math.round(tookMs) }),
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

const surveyMs = 2_000;
/** To know a record's age is to read it. */
const surveysPerAge = 5;

/** The age of the record at an offset. One that is still there at the next look is not read again. */
const lagAges = (bus: Bus, clock: Clock) => {
  const known = new Map<string, { readonly offset: number; readonly atMs: number }>();
  return async (topic: string, partition: number, offset: number): Promise<number> => {
    const place = `${topic}/${partition}`;
    let record = known.get(place);
    if (record?.offset !== offset) {
      const [read] = await bus.read(topic, partition, offset, 1);
      record = { offset, atMs: read?.appendedAtMs ?? clock.nowMs() };
      known.set(place, record);
    }
    return Math.max(0, clock.nowMs() - record.atMs);
  };
};

/** Sets the gauges of mailboxes, of work not settled and of lag, from a look at the tree and at the bus. */
export const watchSystem = (
  metrics: Metrics,
  clock: Clock,
  bus: Bus,
  topics: readonly TopicDefinition<never>[],
  tree: () => SystemNode,
): Cancel => {
  const ages = lagAges(bus, clock);
  let surveys = 0;
  const lag = async () => {
    const isTimed = surveys++ % surveysPerAge === 0;
    for (const { name, group, retentionMs } of topics) {
      if (group === null || retentionMs === null) continue; // compacted topics are read whole, not worked through
      const [states, committed] = await Promise.all([bus.states(name), bus.committed(name, group)]);
      for (const { partition, oldest, next } of states) {
        const at = Math.max(oldest, committed[partition] ?? 0);
        const labels = { topic: name, partition: String(partition) };
        metrics.busLag.set({ ...labels, consumer_group: group }, Math.max(0, next - (committed[partition] ?? 0)));
        if (at >= next) metrics.busLagSeconds.set({ ...labels, group }, 0);
        else if (isTimed) metrics.busLagSeconds.set({ ...labels, group }, (await ages(name, partition, at)) / 1000);
      }
    }
  };
  return every(clock, surveyMs, () => {
    measureTree(metrics, tree());
    lag().catch(() => {
      // The bus is away: no figure is better than an old one.
      metrics.busLag.reset();
      metrics.busLagSeconds.reset();
    });
  });
};

export const measureTree = (metrics: Metrics, root: SystemNode): void => {
  const depths = new Map<string, number>();
  const visit = (node: SystemNode, path: string) => {
    if (node.mailbox) depths.set(actorLabel(path), (depths.get(actorLabel(path)) ?? 0) + node.mailbox.depth);
    if (node.takes) metrics.settlementAge.set({ topic: node.takes.topic }, node.takes.oldestMs / 1000);
    for (const child of node.children) visit(child, `${path}/${child.name}`);
  };
  visit(root, root.name);
  metrics.mailboxDepth.reset();
  for (const [actor, depth] of depths) metrics.mailboxDepth.set({ actor }, depth);
};
