/**
 * One simulated run of the durable half of the system: task generator, a scheduler, aggregator, and lanes in small, over a
 * broker and a store that outlive crashes. For a while everything may go wrong; then the faults stop, and all must come to
 * rest; then the process is stopped in order, and its next owner must find nothing amiss. `docs/simulation.md` tells more.
 */
import { createHash } from "node:crypto";
import { aggregator } from "../../../actors/aggregator.ts";
import { taskGenerator } from "../../../actors/task-generator.ts";
import { createCodec } from "../../../protocols/codec.ts";
import { deadLettersOf } from "../../../protocols/dead-letter.ts";
import type { Tagged } from "../../../protocols/message.ts";
import type { TopicDefinition } from "../../../protocols/topic.ts";
import { topics } from "../../../protocols/topics.ts";
import { createMemoryBroker } from "../../../runtime/bus-memory.ts";
import { delay } from "../../../runtime/clock.ts";
import { createFramePool, type FramePool } from "../../../runtime/frame-pool.ts";
import { silentLog } from "../../../runtime/log.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import type { World } from "../../../runtime/ports.ts";
import { randomInt } from "../../../runtime/random.ts";
import { recentMessages } from "../../../runtime/recent.ts";
import { createMemoryStore } from "../../../runtime/store-memory.ts";
import { type System, startSystem } from "../../../runtime/system.ts";
import { type ChildSpec, stageTaking, supervisor } from "../../../runtime/tree.ts";
import { createSimulation } from "../simulation.ts";
import { byCamera } from "../system.ts";
import { bounds, type Mix, mixOf } from "./faults.ts";
import {
  acknowledgedIsStored,
  everyGroupEndsOnce,
  incidentsAscend,
  type Logs,
  nothingIsAskedTwice,
  revisionsAscend,
} from "./guarantee.ts";
import { drainLosesNothing, quotasAreKept, whileRunning } from "./invariants.ts";
import { createCameras, lanes } from "./lanes.ts";
import { beginAgain, createLedger, type Life, newLife } from "./ledger.ts";
import { troubledBus, troubledDispatcher, troubledStore } from "./mishaps.ts";
import { modelScheduler } from "./provider.ts";
import { createSource } from "./source.ts";
import { standIn } from "./stand-in.ts";
import { witnessBus, witnessEvents, witnessStore, witnessTree } from "./witness.ts";

export type Outcome = {
  /** What should hold and does not; empty when all is well. */
  readonly violations: readonly string[];
  /** Says whether two runs were the same. */
  readonly hash: string;
  readonly groups: number;
  readonly crashes: number;
  readonly restarts: number;
  readonly deadLetters: number;
  /** How long it took, once the faults had stopped, until all was final and committed. */
  readonly calmMs: number;
  readonly steps: number;
};

export type SimulateOptions = {
  readonly mix?: Mix;
  /** Breaks something on purpose, to see whether it is noticed. */
  readonly sabotage?: (world: World) => World;
};

const deadlineMs = 10_000;
const faultyMs = 12_000;
/** All must be final and committed so long after the faults stopped: deadline, grace, and the longest pauses between tries. */
const calmMaxMs = 60_000;
/** Longer than any work in hand takes when nothing fails. */
const drainMs = 30_000;
const stopMarginMs = 15_000;
const lookEvery = 48;
const slots = 6;
const tolerance = { restarts: 10_000, withinMs: 60_000, backoffMs: [50, 1_000] } as const;

const durable: readonly TopicDefinition<never>[] = [topics.detections, topics.tasks, topics.results, topics.incidents];
/** Few partitions: what they do to one another shows with three as with sixteen. */
const all: readonly TopicDefinition<never>[] = [...durable, ...durable.map(deadLettersOf)].map((topic) => ({
  ...topic,
  partitions: 3,
}));
const taken: readonly TopicDefinition<never>[] = [topics.detections, topics.tasks, topics.results];
const typeOf = (topic: string): string => durable.find(({ name }) => name === topic)?.messages[0]?.type ?? "";
const codec = createCodec([...new Set(all.flatMap(({ messages }) => messages))]);

/** A process that runs, and what the rest of the run may do to it. */
type Process = {
  readonly life: Life;
  readonly frames: FramePool;
  readonly system: () => System | null;
  readonly kill: () => void;
};

const hashOf = (seen: unknown): string => createHash("sha256").update(JSON.stringify(seen)).digest("hex").slice(0, 16);

export const simulate = async (seed: number, options: SimulateOptions = {}): Promise<Outcome> => {
  const { mix = mixOf(seed), sabotage = (world: World) => world } = options;
  const { faults } = mix;
  const simulation = createSimulation(seed);
  const { clock, random, defer } = simulation;
  const broker = createMemoryBroker({ clock, defer });
  const store = createMemoryStore({ clock, defer });
  const ledger = createLedger(codec);
  let faulty = true;
  const chance = (probability: number) => faulty && probability > 0 && random.next() < probability;
  const slowUntilMs = new Map<string, number>();
  const isSlow = (topic: string) => faulty && (slowUntilMs.get(topic) ?? 0) > clock.monotonicMs();
  const acknowledged: string[] = [];
  const source = createSource({ bus: broker.open(), codec, clock, random, chance, faults, load: mix.load, acknowledged });
  const cameras = createCameras({ random, clock });

  const metrics = createMetrics();
  const answered = new Set<string>();

  let process: Process | null = null;
  let processes = 0;
  let crashes = 0;
  let restarts = 0;

  // ---- a process ----------------------------------------------------------------------------------------------------

  const turnFault = (message: Tagged) => {
    if (source.isPoison(message)) throw new Error("this record is poison");
    if (chance(faults.turnCrash)) throw new Error("the turn crashed");
  };

  const schedulerOf = (clock: World["clock"]): readonly ChildSpec[] => {
    if (mix.scheduler !== "model") return standIn(mix.scheduler, { clock, random, fails: () => chance(faults.llmError) });
    const process = ++processes;
    // What was sent is kept in the store by the wall clock: where either fails, a process does not know what another sent.
    const isRemembered = faults.storeFailure + faults.storeOutage + faults.clockJump === 0;
    return modelScheduler(faults, deadlineMs, {
      clock,
      random,
      store: troubledStore(store, faults.storeFailure, { clock, random, chance }),
      metrics,
      chance,
      violated: ledger.violated,
      answered,
      // The limits outlive a restart of the actor: they are judged over the whole process.
      sent: (group, atMs) => ledger.sawSend(group, isRemembered ? "all" : String(process), atMs),
    });
  };

  const begin = () => {
    if (process) return;
    const host = simulation.process();
    const trouble = { clock: host.clock, random, chance };
    const life = newLife();
    const bus = broker.open();
    const frames = createFramePool({ slots, pictureBytes: 0, inputBytes: 12, inputSize: 2 });
    let system: System | null = null;
    let killed = false;
    process = {
      life,
      frames,
      system: () => system,
      kill() {
        killed = true;
        system = null;
        host.kill();
        bus.crash();
        restarts += life.restarts;
        process = null;
      },
    };
    const world: World = sabotage({
      clock: host.clock,
      random,
      dispatcher: troubledDispatcher(host.dispatcher, faults.turnDelay, trouble),
      codec,
      bus: witnessBus(troubledBus(bus, isSlow, faults.deliveryDelay, trouble), ledger, life),
      store: witnessStore(troubledStore(store, faults.storeFailure, trouble), ledger),
      frames,
      log: silentLog,
      observer: witnessEvents(life, typeOf),
      keyOf: byCamera,
    });
    const tree = supervisor("vedette", "one_for_one", tolerance, [
      stageTaking(topics.results, aggregator, { args: { deadlineMs, graceMs: 5_000, outageMs: 60_000, metrics } }),
      ...schedulerOf(host.clock),
      stageTaking(topics.detections, taskGenerator, { args: { deadlineMs, metrics } }),
      ...(mix.lanes ? lanes(tolerance) : []),
    ]);
    const start = async () => {
      while (!killed) {
        try {
          await bus.ensure(all);
          const started = await startSystem(witnessTree(tree, ledger, life, turnFault), durable, world, (reason) =>
            ledger.violated(`the root gave up: ${reason}`),
          );
          if (!killed) system = started;
          return;
        } catch {
          beginAgain(life);
          await delay(host.clock, 100); // the bus or the store is away just now
        }
      }
    };
    void start();
  };

  /** Resolves when the process has ended in order. */
  const stop = async (drainMs: number): Promise<void> => {
    const stopping = process;
    const system = stopping?.system();
    if (!stopping || !system) return;
    let isOver = false;
    clock.after(drainMs + stopMarginMs, () => {
      if (!isOver && process === stopping) ledger.violated(`a stop took more than ${drainMs + stopMarginMs} ms`);
    });
    await system.stop("a new one takes over", drainMs);
    isOver = true;
    if (process === stopping) stopping.kill();
  };

  // ---- what goes wrong ----------------------------------------------------------------------------------------------

  let stopping = false;
  let skewMs = 0;
  const mishap = () => {
    const system = process?.system();
    if (process && chance(faults.processCrash)) {
      crashes++;
      process.kill();
      clock.after(randomInt(random, bounds.downMs), begin);
    }
    if (system && !stopping && chance(faults.rollingRestart)) {
      stopping = true;
      void stop(randomInt(random, bounds.drainMs)).then(() => {
        stopping = false;
        begin();
      });
    }
    if (system && chance(faults.actorKill)) {
      const stages = system.stages();
      system.fail(stages[randomInt(random, stages.length)] ?? "", "drill");
    }
    if (chance(faults.busOutage)) {
      broker.away();
      clock.after(randomInt(random, bounds.outageMs), broker.back);
    }
    if (chance(faults.storeOutage)) {
      store.away();
      clock.after(randomInt(random, bounds.outageMs), store.back);
    }
    if (chance(faults.slowSink)) {
      const topic = durable[randomInt(random, durable.length)]?.name ?? "";
      slowUntilMs.set(topic, clock.monotonicMs() + randomInt(random, 2 * bounds.slowMs));
    }
    if (chance(faults.clockJump)) {
      const next = randomInt(random, 2 * bounds.skewMs) - bounds.skewMs;
      clock.skew(next - skewMs);
      skewMs = next;
    }
  };

  let steps = 0;
  const look = (isAtRest: boolean) => {
    const system = process?.system();
    if (!process || !system) return;
    const view = { life: process.life, tree: system.snapshot(), isAtRest };
    for (const invariant of whileRunning) for (const says of invariant(view)) ledger.violated(says);
  };
  const between = () => {
    if (faulty) mishap();
    if (++steps % lookEvery === 0) look(false);
  };
  const runFor = (ms: number) => simulation.run(clock.monotonicMs() + ms, between);

  /** Work for the run from outside, as long as it is on. */
  let isSending = true;
  const frameSoon = () => {
    clock.after(20 + randomInt(random, 80), () => {
      const system = process?.system();
      if (isSending && process && system) {
        const { life, frames } = process;
        cameras.send(system, frames, ({ type }) => life.offered.set(type, (life.offered.get(type) ?? 0) + 1));
      }
      frameSoon();
    });
  };

  // ---- the bus as it is ---------------------------------------------------------------------------------------------

  /** The answer of the bus, which needs steps of the run but no time. */
  const ask = async <Answer>(question: Promise<Answer>): Promise<Answer> => {
    await runFor(0);
    return question;
  };
  const uncommitted = async (): Promise<readonly string[]> => {
    const places = await ask(
      Promise.all(
        taken.map(async ({ name, group }) => {
          const [states, committed] = await Promise.all([source.bus.states(name), source.bus.committed(name, group ?? "")]);
          return states.map(({ partition, next }) => ({
            place: `${name}/${partition}`,
            next,
            committed: committed[partition] ?? 0,
          }));
        }),
      ),
    );
    return places
      .flat()
      .filter(({ next, committed }) => committed !== next)
      .map(({ place, next, committed }) => `${place}: committed ${committed} of ${next}`);
  };

  /** Runs until everything is final and committed, and says how long that took. */
  const comeToRest = async (): Promise<number> => {
    const sinceMs = clock.monotonicMs();
    for (;;) {
      await runFor(2_000);
      const left = await uncommitted();
      const tookMs = clock.monotonicMs() - sinceMs;
      if (left.length === 0 && ledger.unfinished.size === 0) return tookMs;
      if (tookMs < calmMaxMs) continue;
      for (const says of left) ledger.violated(`not at rest after ${calmMaxMs} ms: ${says}`);
      for (const messageId of ledger.unfinished) ledger.violated(`not at rest after ${calmMaxMs} ms: ${messageId} is not final`);
      return tookMs;
    }
  };

  // ---- the run ------------------------------------------------------------------------------------------------------

  await ask(source.bus.ensure(all));
  begin();
  source.start();
  if (mix.lanes) frameSoon();
  await runFor(faultyMs);

  faulty = false;
  isSending = false;
  source.stop();
  broker.back();
  store.back();
  begin();
  clock.after(bounds.downMs, begin);
  const calmMs = await comeToRest();
  look(true);
  if (process && (process as Process).frames.stats().held > 0) ledger.violated("a frame slot is held at rest");

  isSending = true;
  source.start();
  await runFor(500 + randomInt(random, 3_000));
  source.stop();
  isSending = false;
  const last = process as Process | null; // the compiler does not see what the callbacks assign
  const stopped = stop(drainMs);
  await runFor(drainMs + stopMarginMs);
  await stopped;
  if (last) for (const says of drainLosesNothing(last.life)) ledger.violated(says);
  begin();
  await comeToRest();

  const [detections, tasks, told, results, letters] = await ask(
    Promise.all([
      recentMessages(source.bus, codec, topics.detections, 0),
      recentMessages(source.bus, codec, topics.tasks, 0),
      recentMessages(source.bus, codec, topics.incidents, 0),
      recentMessages(source.bus, codec, topics.results, 0),
      Promise.all(taken.map((topic) => recentMessages(source.bus, codec, deadLettersOf(topic), 0))),
    ]),
  );
  const updates = told.filter((each) => each.type === "risk_update");
  const logs: Logs = { detections, tasks, updates, letters: letters.flat() };
  for (const says of [
    ...acknowledgedIsStored(logs, acknowledged),
    ...revisionsAscend(logs),
    ...incidentsAscend(told.filter((each) => each.type === "incident")),
    ...everyGroupEndsOnce(logs, ledger),
    ...nothingIsAskedTwice(logs),
    ...quotasAreKept(ledger),
  ])
    ledger.violated(says);

  return {
    violations: [...ledger.violations],
    hash: hashOf([updates, results, acknowledged, simulation.steps()]),
    groups: detections.reduce((sum, { trafficGroups }) => sum + trafficGroups.length, 0),
    crashes,
    restarts,
    deadLetters: logs.letters.length,
    calmMs,
    steps: simulation.steps(),
  };
};
