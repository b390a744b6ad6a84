/** One round: faults while all is under load, then rest, then judgement. */
import { delay, systemClock } from "../../runtime/clock.ts";
import { type Finding, type Judgement, judge } from "./judge.ts";
import { type RoleName, roleNames } from "./options.ts";
import { type Fault, nameOf } from "./plan.ts";
import { codecOfTopics, type Plant } from "./plant.ts";
import type { RecoveryKey } from "./recoveries.ts";
import { type Ends, endsOf, readSegment, type TaskMade, unsettled } from "./segment.ts";

export type Recovery = { readonly key: RecoveryKey; readonly tookMs: number };
export type RoundOutcome = Omit<Judgement, "findings"> & {
  readonly findings: readonly Finding[];
  readonly recoveries: readonly Recovery[];
};

export type RoundPorts = {
  readonly plant: Plant;
  readonly say: (text: string) => void;
  /** The time after which a group is asked about again: `tasks.cooldownMs`. */
  readonly cooldownMs: number;
};

const upMs = 120_000;
const recoveryMs = 180_000;
const restMs = 180_000;
const shownMs = 20_000;
const lookMs = 200;
const endsMax = 10;

const until = async (limitMs: number, look: () => boolean | Promise<boolean>): Promise<boolean> => {
  const endMs = systemClock.monotonicMs() + limitMs;
  for (;;) {
    if (await look()) return true;
    if (systemClock.monotonicMs() > endMs) return false;
    await delay(systemClock, lookMs);
  }
};

export const createRounds = ({ plant, say, cooldownMs }: RoundPorts) => {
  const codec = codecOfTopics();
  let from: Ends | null = null;
  let earlierTasks: ReadonlyMap<string, TaskMade> = new Map();
  let judgedEnds = 0;
  let judgedTwice = 0;

  /** A program that cannot start is started again and again: there is nothing to wait for. */
  const endless = (): boolean => plant.processes.unasked.length - judgedEnds >= endsMax;

  /** Waits for all that was killed or started to work. */
  const allWork = async (limitMs: number, when: string, findings: Finding[]): Promise<boolean> => {
    const isBack = () => plant.recoveries.open().length === 0;
    await until(limitMs, () => isBack() || endless());
    const works = isBack();
    const missing = plant.recoveries.open().join("; ");
    if (!works)
      findings.push({ kind: "stuck", id: when, says: `does not work after ${limitMs} ms or ${endsMax} ends: ${missing}` });
    plant.recoveries.giveUp();
    return works;
  };

  const begin = async (findings: Finding[]): Promise<boolean> => {
    const startedMs = systemClock.monotonicMs();
    from = await endsOf(plant.bus);
    for (const role of roleNames) if (!plant.processes.isRunning(role)) plant.processes.start(role);
    for (const role of roleNames) void plant.recoveries.expect(role, role, startedMs);
    return allWork(upMs, "start", findings);
  };

  /** One after the other begins; what a fault takes to mend does not hold up the next. */
  const disturb = async (faults: readonly Fault[], done: (fault: Fault, recovery: Recovery) => void): Promise<void> => {
    const pending: Promise<void>[] = [];
    for (const fault of faults) {
      await delay(systemClock, fault.afterMs);
      const work = async () => {
        const { key, recovered } = await plant.apply(fault);
        void recovered.then((tookMs) => done(fault, { key, tookMs }));
      };
      pending.push(work());
    }
    await Promise.all(pending);
  };

  const comeToRest = async (findings: Finding[]): Promise<Ends> => {
    const status = await plant.processes.stop("eyes");
    if (status !== 0) findings.push({ kind: "ended", id: "eyes", says: `an orderly end had status ${status}` });
    let open: readonly string[] = [];
    const rested = await until(restMs, async () => {
      open = await unsettled(plant.bus).catch((thrown: unknown) => [String(thrown)]);
      return open.length === 0;
    });
    if (!rested) findings.push({ kind: "unsettled", id: "topics", says: `after ${restMs} ms: ${open.join(", ")}` });
    return endsOf(plant.bus);
  };

  /** Ends that nobody asked for. */
  const incidental = (): Finding[] => {
    const { processes } = plant;
    const ended = processes.unasked.slice(judgedEnds);
    judgedEnds = processes.unasked.length;
    return [
      ...ended.map(
        ({ role, status, says }): Finding => ({ kind: "ended", id: role, says: `ended by itself with ${status}:\n    ${says}` }),
      ),
    ];
  };

  return {
    async run(faults: readonly Fault[], progress: (fault: Fault, recovery: Recovery) => void): Promise<RoundOutcome> {
      const findings: Finding[] = [];
      const recoveries: Recovery[] = [];
      if (await begin(findings)) {
        await disturb(faults, (fault, recovery) => {
          recoveries.push(recovery);
          progress(fault, recovery);
        });
        await allWork(recoveryMs, "recovery", findings);
      }
      say("  at rest?\n");
      const to = await comeToRest(findings);
      const segment = await readSegment(plant.bus, codec, plant.redis.client, from ?? new Map(), to);
      const { viewer, book, absences } = plant;
      const toldIds = [...segment.updates.keys()];
      const incidentIds = [...segment.incidents.keys()];
      await until(
        shownMs,
        () => toldIds.every((id) => viewer.updates.has(id)) && incidentIds.every((id) => viewer.incidents.has(id)),
      );
      const judgement = judge({
        ...{ segment, earlierTasks, absences, cooldownMs, calls: book.calls, commands: book.commands },
        shownUpdates: viewer.updates,
        shownIncidents: viewer.incidents,
        shownTwice: viewer.shownTwice.slice(judgedTwice),
      });
      judgedTwice = viewer.shownTwice.length;
      earlierTasks = segment.tasks;
      book.clear();
      return { ...judgement, findings: [...findings, ...judgement.findings, ...incidental()], recoveries };
    },

    /** The end of the run: every process in order. */
    async end(): Promise<Finding[]> {
      const findings: Finding[] = [];
      const stop = async (role: RoleName) => {
        const status = await plant.processes.stop(role);
        if (status !== 0) findings.push({ kind: "ended", id: role, says: `an orderly end had status ${status}` });
      };
      await Promise.all(roleNames.map(stop));
      return [...findings, ...incidental()];
    },
  };
};

export const describeFault = (fault: Fault): string =>
  fault.kind === "cut" ? `cut: ${nameOf(fault)}` : `kill -9 ${nameOf(fault)}`;
