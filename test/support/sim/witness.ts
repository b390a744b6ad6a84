/** Looks over the shoulder of a process: wraps the ports and actors of a system so that the ledger hears of all that they do. */
import type { Tagged } from "../../../protocols/message.ts";
import type { Context } from "../../../runtime/actor.ts";
import type { Bus } from "../../../runtime/bus.ts";
import type { AnyDefinition } from "../../../runtime/cell.ts";
import { type Observer, silentObserver } from "../../../runtime/observer.ts";
import type { Store } from "../../../runtime/store.ts";
import type { ChildSpec, StageSpec } from "../../../runtime/tree.ts";
import { addTo, type Ledger, type Life } from "./ledger.ts";

/** Ids of records that cannot be decoded. */
export const garbagePrefix = "garbage";

export const witnessBus = (bus: Bus, ledger: Ledger, life: Life): Bus => ({
  ...bus,
  async append(records) {
    const appended = await bus.append(records);
    ledger.sawStored(records);
    return appended;
  },
  async read(topic, partition, offset, limit) {
    const records = await bus.read(topic, partition, offset, limit);
    ledger.sawStored(records);
    return records;
  },
  async consume(topic, group, events) {
    const consumer = await bus.consume(topic, group, {
      assigned(partition, committed) {
        life.taking.set(`${topic}/${partition}`, { from: committed, next: committed, committed });
        return events.assigned(partition, committed);
      },
      revoked: events.revoked,
      record(record) {
        ledger.sawTaken(life, record);
        if (record.id.startsWith(garbagePrefix)) addTo(life.offered, record.type, -1); // it will be received, but offered to nobody
        events.record(record);
      },
    });
    return {
      ...consumer,
      commit(partition, offset) {
        ledger.sawCommit(life, topic, partition, offset);
        return consumer.commit(partition, offset);
      },
    };
  },
});

export const witnessStore = (store: Store, ledger: Ledger): Store => ({
  ...store,
  async put(facts) {
    const copies = facts.map(({ key, bytes }) => [key, bytes.slice()] as const);
    await store.put(facts);
    for (const [key, bytes] of copies) ledger.facts.set(key, bytes);
  },
  async get(key) {
    const bytes = await store.get(key);
    if (bytes) ledger.facts.set(key, bytes);
    return bytes;
  },
  async list(prefix, limit, after) {
    const found = await store.list(prefix, limit, after);
    for (const { key, bytes } of found) ledger.facts.set(key, bytes);
    return found;
  },
});

/** `typeOf` names the messages of a topic. */
export const witnessEvents = (life: Life, typeOf: (topic: string) => string): Observer => ({
  ...silentObserver,
  received: (topic) => addTo(life.offered, typeOf(topic)),
  retried: (topic) => addTo(life.offered, typeOf(topic)),
  deadLettered(topic, _cause, disposition, reason) {
    // Received, but offered to nobody.
    if (disposition === "exhausted" && reason.startsWith("it was open each time")) addTo(life.offered, typeOf(topic), -1);
  },
  dropped: (_actor, type, _reason, count) => addTo(life.dropped, type, count),
  restarted() {
    life.restarts++;
  },
});

/** What may be done to a turn: called after the handler has returned; a throw undoes the turn. */
export type TurnFault = (message: Tagged) => void;

/** Where order matters: a message of one sender with its place in the order. */
type Sequenced = Tagged & { readonly cameraId?: unknown; readonly seq?: unknown };

const orderedTypes = new Set(["frame", "sight", "look"]);

export const witnessTree = <Spec extends ChildSpec>(spec: Spec, ledger: Ledger, life: Life, fault: TurnFault): Spec => {
  if (spec.kind === "stage") return { ...spec, definition: witnessTurns(spec, ledger, life, fault) };
  if (spec.kind === "supervisor") {
    return { ...spec, children: spec.children.map((child) => witnessTree(child, ledger, life, fault)) };
  }
  const child = (key: string, args: never): ChildSpec => witnessTree(spec.child(key, args), ledger, life, fault);
  return { ...spec, child };
};

const witnessTurns = ({ name, definition }: StageSpec, ledger: Ledger, life: Life, fault: TurnFault): AnyDefinition => {
  life.policies.set(name, definition.mailbox);
  const told: string[] = [];
  const contexts = new WeakMap<object, Context<Tagged>>();

  /** The actor's own context, but what it tells is noted. */
  const overheard = (context: Context<Tagged>): Context<Tagged> => {
    const known = contexts.get(context);
    if (known) return known;
    const tell: Context<Tagged>["tell"] = (to, message, lease) => {
      context.tell(to, message, lease);
      told.push(message.type);
    };
    const made = new Proxy(context, { get: (whole, name) => (name === "tell" ? tell : Reflect.get(whole, name, whole)) });
    contexts.set(context, made);
    return made;
  };

  const inOrder = (message: Sequenced) => {
    if (!orderedTypes.has(message.type) || typeof message.seq !== "number") return;
    const sender = `${message.type} of camera ${message.cameraId}`;
    const last = life.lastSeq.get(sender) ?? -1;
    if (message.seq <= last) ledger.violated(`${sender}: ${message.seq} came after ${last}`);
    life.lastSeq.set(sender, message.seq);
  };

  const handlers = Object.entries(definition.on as Record<string, (...args: unknown[]) => unknown>); // erased, as in the cell
  const on = Object.fromEntries(
    handlers.map(([type, handler]) => [
      type,
      (state: unknown, message: Tagged, context: Context<Tagged>) => {
        told.length = 0;
        try {
          inOrder(message);
          const next = handler(state, message, overheard(context));
          fault(message);
          addTo(life.handled, type);
          for (const each of told) addTo(life.offered, each);
          return next;
        } catch (thrown) {
          addTo(life.thrown, type);
          throw thrown;
        }
      },
    ]),
  );
  return { ...definition, on };
};
