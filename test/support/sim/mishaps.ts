/** The faults of ports: what stands between a process and its bus, store and turns, and misbehaves as the fault model says. */
import type { Bus, BusRecord, ConsumerEvents } from "../../../runtime/bus.ts";
import { type Clock, delay } from "../../../runtime/clock.ts";
import type { Dispatcher, Runnable } from "../../../runtime/dispatcher.ts";
import { Fault } from "../../../runtime/errors.ts";
import { type Random, randomInt } from "../../../runtime/random.ts";
import type { Store } from "../../../runtime/store.ts";
import { bounds } from "./faults.ts";

export type Trouble = {
  readonly clock: Clock;
  readonly random: Random;
  /** False once the faults have stopped. */
  readonly chance: (probability: number) => boolean;
};

/** Holds records back for a while; those of one partition stay in order, and a pause is kept. */
const lateDeliveries = ({ record }: ConsumerEvents, isLate: () => boolean, { clock, random }: Trouble) => {
  const lines = new Map<number, BusRecord[]>();
  const paused = new Set<number>();
  const busy = new Set<number>();
  let stopped = false;

  const work = (partition: number) => {
    busy.delete(partition);
    const line = lines.get(partition) ?? [];
    while (line[0] && !paused.has(partition) && !stopped) {
      const first = line[0];
      record(first);
      line.shift();
      if (line.length > 0 && isLate()) return later(partition);
    }
  };
  const later = (partition: number) => {
    if (busy.has(partition)) return;
    busy.add(partition);
    clock.after(randomInt(random, bounds.deliveryMs), () => work(partition));
  };

  return {
    record(taken: BusRecord) {
      const line = lines.get(taken.partition) ?? [];
      lines.set(taken.partition, line);
      if (line.length === 0 && !paused.has(taken.partition) && !isLate()) return record(taken);
      line.push(taken);
      later(taken.partition);
    },
    pause: (partition: number) => void paused.add(partition),
    resume(partition: number) {
      paused.delete(partition);
      if ((lines.get(partition)?.length ?? 0) > 0) later(partition);
    },
    forget: (partition: number) => void lines.delete(partition),
    stop() {
      stopped = true;
    },
  };
};

/** `isSlow` names the topics whose appends take seconds just now. */
export const troubledBus = (bus: Bus, isSlow: (topic: string) => boolean, lateRate: number, trouble: Trouble): Bus => ({
  ...bus,
  async append(records) {
    if (!records.some(({ topic }) => isSlow(topic))) return bus.append(records);
    const slowly = () => delay(trouble.clock, 500 + randomInt(trouble.random, bounds.slowMs));
    if (trouble.random.next() < 0.5) await slowly();
    const appended = await bus.append(records);
    if (trouble.random.next() < 0.5) await slowly(); // stored, and not yet acknowledged
    return appended;
  },
  async consume(topic, group, events) {
    const late = lateDeliveries(events, () => trouble.chance(lateRate), trouble);
    const consumer = await bus.consume(topic, group, {
      ...events,
      revoked(partition) {
        late.forget(partition);
        return events.revoked(partition);
      },
      record: late.record,
    });
    return {
      commit: consumer.commit,
      pause(partition) {
        late.pause(partition);
        consumer.pause(partition);
      },
      resume(partition) {
        consumer.resume(partition);
        late.resume(partition);
      },
      stop() {
        late.stop();
        return consumer.stop();
      },
    };
  },
});

export const troubledStore = (store: Store, failureRate: number, { chance, random }: Trouble): Store => {
  const fails = () => chance(failureRate);
  const refuse = () => Promise.reject(new Fault("unavailable", "the store failed"));
  return {
    ...store,
    get: (key) => (fails() ? refuse() : store.get(key)),
    list: (prefix, limit, after) => (fails() ? refuse() : store.list(prefix, limit, after)),
    async put(facts) {
      if (!fails()) return store.put(facts);
      if (random.next() < 0.5) await store.put(facts); // the fact is there, but nobody hears of it
      return refuse();
    },
  };
};

/** Actors that have work are sometimes slow to get to it. */
export const troubledDispatcher = (dispatcher: Dispatcher, delayRate: number, trouble: Trouble): Dispatcher => {
  const late = new Set<Runnable>();
  return {
    atMs: dispatcher.atMs,
    ready(runnable) {
      if (late.has(runnable)) return;
      if (!trouble.chance(delayRate)) return dispatcher.ready(runnable);
      late.add(runnable);
      trouble.clock.after(randomInt(trouble.random, bounds.turnMs), () => {
        late.delete(runnable);
        dispatcher.ready(runnable);
      });
    },
  };
};
