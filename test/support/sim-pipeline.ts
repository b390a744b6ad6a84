/** The durable half of the system under simulation: task generator, a stand-in scheduler, aggregator, over a broker that outlives crashes. */
import { decode } from "@msgpack/msgpack";
import { aggregator } from "../../actors/aggregator.ts";
import { taskGenerator } from "../../actors/task-generator.ts";
import { createCodec } from "../../protocols/codec.ts";
import { deadLettersOf } from "../../protocols/dead-letter.ts";
import type { DetectionResult } from "../../protocols/detection.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import { topics } from "../../protocols/topics.ts";
import type { AssessmentResult, RiskUpdate } from "../../protocols/verdict.ts";
import { actor } from "../../runtime/actor.ts";
import { createMemoryBroker } from "../../runtime/bus-memory.ts";
import { delay } from "../../runtime/clock.ts";
import type { FramePool } from "../../runtime/frame-pool.ts";
import { silentLog } from "../../runtime/log.ts";
import { createMetrics, type Metrics } from "../../runtime/metrics.ts";
import { silentObserver } from "../../runtime/observer.ts";
import type { World } from "../../runtime/ports.ts";
import { randomInt } from "../../runtime/random.ts";
import { recentMessages } from "../../runtime/recent.ts";
import type { Store } from "../../runtime/store.ts";
import { createMemoryStore } from "../../runtime/store-memory.ts";
import { type System, startSystem } from "../../runtime/system.ts";
import { type ChildSpec, stageTaking, supervisor } from "../../runtime/tree.ts";
import { aDetectionResult, aGroup, aResult } from "./build.ts";
import { createSimulation } from "./simulation.ts";
import { byCamera } from "./system.ts";

/** What may go wrong, each as a probability per step. */
export type Faults = {
  readonly processCrash: number;
  readonly actorCrash: number;
  readonly brokerAway: number;
  readonly storeFailure: number;
  readonly answerFailure: number;
};

export const allFaults: Faults = {
  processCrash: 0.002,
  actorCrash: 0.004,
  brokerAway: 0.002,
  storeFailure: 0.02,
  answerFailure: 0.05,
};

const deadlineMs = 10_000;
const faultyMs = 20_000;
const restMs = 120_000;
const patient = { restarts: 1_000, withinMs: 60_000, backoffMs: [50, 1_000] } as const;

type Done = { readonly type: "done"; readonly taskId: string };
type Late = { readonly type: "late"; readonly taskId: string };

/** Answers each task after a while, or fails and tries again; says `expired` at the deadline. Once per task, however often it is delivered. */
const answering = (mayFail: () => boolean, waitMs: () => number) =>
  actor<
    { readonly clock: World["clock"] },
    { readonly clock: World["clock"]; readonly tasks: Map<string, AssessmentTask>; readonly said: Set<string> },
    AssessmentTask | Done | Late,
    readonly AssessmentResult[]
  >({
    name: "scheduler",
    mailbox: { capacity: 64, overflow: "pause-source" },
    load: (_args, { recent, clock }) => recent(topics.results, clock.nowMs() - deadlineMs * 6),
    start: ({ clock }, _ctx, said) => ({ clock, tasks: new Map(), said: new Set(said.map(({ taskId }) => taskId)) }),
    on: {
      "assessment.task": (state, task, ctx) => {
        if (state.said.has(task.taskId) || state.tasks.has(task.taskId)) return state;
        state.tasks.set(task.taskId, task);
        const { taskId } = task;
        ctx.timers.after(taskId, task.deadlineAt - ctx.nowMs(), { type: "late", taskId });
        ctx.pipe(
          async (signal) => {
            do await delay(state.clock, waitMs(), signal);
            while (mayFail());
          },
          () => ({ type: "done", taskId }),
          () => ({ type: "done", taskId }),
        );
        return state;
      },
      done: (state, { taskId }, ctx) => {
        const task = state.tasks.get(taskId);
        if (!task || state.said.has(taskId)) return state;
        state.said.add(taskId);
        ctx.timers.cancel(taskId);
        ctx.emit(aResult(task));
        return state;
      },
      late: (state, { taskId }, ctx) => {
        const task = state.tasks.get(taskId);
        if (!task || state.said.has(taskId)) return state;
        state.said.add(taskId);
        ctx.emit(aResult(task, { status: "expired", verdict: null, riskLevel: null, confidence: null }));
        return state;
      },
    },
  });

export type Outcome = {
  /** What should hold and does not; empty when all is well. */
  readonly violations: readonly string[];
  /** Says whether two runs were the same. */
  readonly hash: string;
  readonly groups: number;
  readonly crashes: number;
  readonly steps: number;
};

/** What a scheduler of the simulation is made of. */
export type SchedulerWorld = {
  /** Dies with the process. */
  readonly clock: World["clock"];
  readonly random: World["random"];
  readonly store: Store;
  readonly metrics: Metrics;
  /** Says of one call to a provider whether it fails. */
  readonly mayFail: () => boolean;
  readonly deadlineMs: number;
};

const standIn = ({ clock, random, mayFail }: SchedulerWorld): ChildSpec =>
  stageTaking(
    topics.tasks,
    answering(mayFail, () => 200 + randomInt(random, 3_000)),
    { args: { clock } },
  );

/** `sabotage` breaks something on purpose, to see whether it is noticed. */
export const simulate = async (
  seed: number,
  faults: Faults = allFaults,
  sabotage: (world: World) => World = (world) => world,
  schedulerOf: (world: SchedulerWorld) => ChildSpec = standIn,
): Promise<Outcome> => {
  const simulation = createSimulation(seed);
  const { clock, random, defer } = simulation;
  const chance = (probability: number) => random.next() < probability;
  const broker = createMemoryBroker({ clock, defer });
  const durable = createMemoryStore({ clock, defer });
  const all: readonly TopicDefinition<never>[] = [topics.detections, topics.tasks, topics.results, topics.incidents];
  const codec = createCodec([...all, ...all.map(deadLettersOf)].flatMap(({ messages }) => messages));
  let faulty = true;

  const store: Store = {
    ...durable,
    put: (facts) => (faulty && chance(faults.storeFailure) ? Promise.reject(new Error("the store is away")) : durable.put(facts)),
  };

  let kill: () => Promise<void> = async () => {};
  let system: System | null = null;
  let alive = false;
  let crashes = 0;

  const begin = async () => {
    if (alive) return;
    alive = true;
    const process = simulation.process();
    const bus = broker.open();
    let killed = false;
    kill = async () => {
      killed = true;
      alive = false;
      process.kill();
      bus.crash();
      system = null;
    };
    const ensure = async (): Promise<void> => {
      for (;;) {
        try {
          await bus.ensure([...all, ...all.map(deadLettersOf)]);
          return;
        } catch {
          await delay(process.clock, 100); // the broker is away just now
        }
      }
    };
    await ensure();
    const world: World = sabotage({
      clock: process.clock,
      random,
      dispatcher: process.dispatcher,
      codec,
      bus,
      store,
      frames: {} as FramePool,
      log: silentLog,
      observer: silentObserver,
      keyOf: byCamera,
    });
    const metrics = createMetrics();
    const mayFail = () => faulty && chance(faults.answerFailure);
    const tree = supervisor("vedette", "one_for_one", patient, [
      stageTaking(topics.results, aggregator, { args: { deadlineMs, graceMs: 5_000, outageMs: 60_000, metrics } }),
      schedulerOf({ clock: process.clock, random, store, metrics, mayFail, deadlineMs }),
      stageTaking(topics.detections, taskGenerator, { args: { minMembers: 2, cooldownMs: 3_000, deadlineMs, metrics } }),
    ]);
    for (;;) {
      try {
        const started = await startSystem(tree, all, world, () => {});
        if (!killed) system = started;
        return;
      } catch {
        if (killed) return;
        await delay(process.clock, 100);
      }
    }
  };

  // The eyes: a bus of their own that does not crash, so that what is acknowledged is known.
  const source = broker.open();
  await Promise.all([source.ensure(all), simulation.run(0)]);
  const acknowledged: DetectionResult[] = [];
  const send = (seq: number) => {
    const messageId = `m${String(seq).padStart(5, "0")}`;
    const groups = Array.from({ length: randomInt(random, 4) }, (_, index) =>
      aGroup({
        groupIndex: index + 1,
        groupKey: `g${randomInt(random, 6)}`,
        objectCount: 1 + randomInt(random, 3),
        riskLevel: chance(0.2) ? "high" : "low",
      }),
    );
    const cameraId = randomInt(random, 5);
    const result = aDetectionResult({ messageId, cameraId, seq, capturedAt: clock.nowMs(), trafficGroups: groups });
    const record = {
      topic: topics.detections.name,
      key: String(cameraId),
      id: messageId,
      type: result.type,
      trace: result.traceId,
      bytes: codec.encode(result),
    };
    source.append([record]).then(
      () => acknowledged.push(result),
      () => {}, // not acknowledged: nothing was promised
    );
  };
  let seq = 0;
  const sendLater = () => {
    clock.after(randomInt(random, 400), () => {
      if (!faulty) return;
      send(seq++);
      sendLater();
    });
  };

  const mishap = () => {
    if (!faulty) return;
    if (alive && chance(faults.processCrash)) {
      crashes++;
      void kill();
      clock.after(randomInt(random, 3_000), () => void begin());
    } else if (system && chance(faults.actorCrash)) {
      const stages = system.stages();
      system.fail(stages[randomInt(random, stages.length)] ?? "", "drill");
    } else if (chance(faults.brokerAway)) {
      broker.away();
      clock.after(randomInt(random, 4_000), () => broker.back());
    }
  };

  void begin();
  sendLater();
  await simulation.run(faultyMs, mishap);
  faulty = false;
  broker.back();
  clock.after(5_000, () => void begin());
  await simulation.run(faultyMs + restMs);

  // ---- what must hold ---------------------------------------------------------------------------------------------
  const violations: string[] = [];
  const finished = Promise.all([
    recentMessages(source, codec, topics.incidents, 0),
    recentMessages(source, codec, topics.results, 0),
    ...acknowledged.map(async ({ messageId }) => [messageId, await durable.get(`admission:${messageId}`)] as const),
  ]);
  await simulation.run(faultyMs + 2 * restMs);
  const [updates, results, ...admissions] = await finished;
  const shown = new Map<string, number>();
  const lastRevision = new Map<string, RiskUpdate>();
  for (const update of updates) {
    const before = lastRevision.get(update.messageId);
    if (before && update.revision !== before.revision + 1)
      violations.push(`${update.messageId}: revision ${update.revision} after ${before.revision}`);
    if (before?.final) violations.push(`${update.messageId}: revision ${update.revision} after the final one`);
    for (const { taskId } of update.results) {
      if (!before?.results.some((each) => each.taskId === taskId)) shown.set(taskId, (shown.get(taskId) ?? 0) + 1);
    }
    lastRevision.set(update.messageId, update);
  }
  for (const update of lastRevision.values()) {
    if (!update.final) violations.push(`${update.messageId}: no final revision`);
  }
  /** A group whose result did not come in time is missing from the final revision, which says that it is not complete. */
  const overdue = new Set(
    [...lastRevision.values()]
      .filter(({ final, complete }) => final && !complete)
      .flatMap(({ taskIdsOfRequest, results }) =>
        taskIdsOfRequest.filter((taskId) => !results.some((each) => each.taskId === taskId)),
      ),
  );
  const admitted = new Map(admissions);
  for (const { messageId, trafficGroups } of acknowledged) {
    const stored = admitted.get(messageId);
    const outcomes = stored
      ? (decode(stored) as { groups: { groupIndex: number; outcome: string; taskId?: string }[] }).groups
      : [];
    for (const { groupIndex } of trafficGroups) {
      const mine = outcomes.filter((each) => each.groupIndex === groupIndex);
      const taskId = `${messageId}_group${groupIndex}`;
      const times = shown.get(taskId) ?? 0;
      const reasons = mine.filter(({ outcome }) => outcome === "none").length + (overdue.has(taskId) ? 1 : 0);
      if (times + reasons !== 1) violations.push(`${messageId} group ${groupIndex}: ${times} results shown, ${reasons} reasons`);
    }
  }
  for (const topic of [topics.detections, topics.tasks, topics.results]) {
    const work = Promise.all([source.states(topic.name), source.committed(topic.name, topic.group ?? "")]);
    await simulation.run(faultyMs + 3 * restMs);
    const [states, committed] = await work;
    for (const { partition, next } of states) {
      if ((committed[partition] ?? 0) !== next)
        violations.push(`${topic.name}/${partition}: committed ${committed[partition] ?? 0} of ${next}`);
    }
  }
  const hash = Bun.hash(JSON.stringify([updates, results, acknowledged.map(({ messageId }) => messageId)])).toString(16);
  const groups = acknowledged.reduce((sum, { trafficGroups }) => sum + trafficGroups.length, 0);
  return { violations, hash, groups, crashes, steps: simulation.steps() };
};
