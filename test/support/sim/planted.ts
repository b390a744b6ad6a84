/**
 * Bugs that the simulation must notice, or it is blind. Some stand between the system and its ports; the others are planted
 * into a copy of the sources, so that the shipped ones know nothing of it.
 */
import { cpSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { reasonOf } from "../../../runtime/errors.ts";
import type { World } from "../../../runtime/ports.ts";
import { type simulate as Simulate, simulate } from "./simulate.ts";

/** In a copy of the sources the module's export `name` becomes `as`, made of the sound one, which stands in `sound`. */
type Replacement = { readonly module: string; readonly name: string; readonly as: string };

export type PlantedBug = { readonly name: string } & (
  | { readonly sabotage: (world: World) => World }
  | { readonly replaces: Replacement }
);

const sabotages: readonly PlantedBug[] = [
  {
    name: "the bus says that a record is durable before it is",
    sabotage: (world) => ({
      ...world,
      bus: {
        ...world.bus,
        async append(records) {
          void world.bus.append(records).catch(() => {});
          return records.map(({ topic }) => ({ topic, partition: 0, offset: 0, duplicate: false }));
        },
      },
    }),
  },
  {
    name: "the store forgets what it was given",
    sabotage: (world) => ({ ...world, store: { ...world.store, put: async () => {} } }),
  },
  {
    name: "offsets are committed as records are taken",
    sabotage: (world) => ({
      ...world,
      bus: {
        ...world.bus,
        consume: async (topic, group, events) => {
          const consumer = await world.bus.consume(topic, group, {
            ...events,
            record(record) {
              events.record(record);
              void Promise.resolve()
                .then(() => consumer.commit(record.partition, record.offset + 1))
                .catch(() => {});
            },
          });
          return consumer;
        },
      },
    }),
  },
  {
    name: "ids are not recognised, so a repeated record is new",
    sabotage(world) {
      let count = 0;
      const renamed: World["bus"]["append"] = (records) =>
        world.bus.append(records.map((record) => ({ ...record, id: `${record.id}~${count++}` })));
      return { ...world, bus: { ...world.bus, append: renamed } };
    },
  },
  {
    name: "records that leave together change places",
    sabotage: (world) => ({ ...world, bus: { ...world.bus, append: (records) => world.bus.append(records.toReversed()) } }),
  },
];

const replacements: readonly PlantedBug[] = [
  {
    name: "a pipe does not hold the causes of its turn",
    replaces: {
      module: "runtime/cell/pipes.ts",
      name: "createPipes",
      as: `(outcome) => {
        const pipes = sound.createPipes(outcome);
        return over(pipes, { run: (pipe, _causes, ...rest) => pipes.run(pipe, [], ...rest) });
      }`,
    },
  },
  {
    name: "a timer does not hold the causes of its turn",
    replaces: {
      module: "runtime/cell/timers.ts",
      name: "createTimers",
      as: `(...given) => {
        const timers = sound.createTimers(...given);
        return over(timers, { set: (key, delayMs, envelope) => timers.set(key, delayMs, envelope, []) });
      }`,
    },
  },
  {
    name: "a restart forgets the causes that were held",
    replaces: {
      module: "runtime/settlement.ts",
      name: "abandonAll",
      as: "(causes, reason, isOwn) => { if (isOwn) sound.abandonAll(causes, reason, isOwn); }",
    },
  },
  {
    name: "a restart settles the causes that were held",
    replaces: {
      module: "runtime/settlement.ts",
      name: "abandonAll",
      as: "(causes, reason, isOwn) => (isOwn ? sound.abandonAll(causes, reason, isOwn) : sound.releaseAll(causes))",
    },
  },
  {
    name: "a mailbox does not know its bound",
    replaces: {
      module: "runtime/mailbox.ts",
      name: "createMailbox",
      as: "(policy) => sound.createMailbox({ ...policy, capacity: 1_000_000, capacityBytes: 1_000_000_000 })",
    },
  },
  {
    name: "an inlet commits the highest settled offset",
    replaces: {
      module: "runtime/settlement.ts",
      name: "createWindow",
      as: `(committed) => {
        const window = sound.createWindow(committed);
        let highest = committed;
        const settled = (offset) => {
          window.settled(offset);
          highest = Math.max(highest, offset + 1);
        };
        return over(window, { settled, floor: () => highest });
      }`,
    },
  },
  {
    name: "a cooldown does not know which task set it",
    replaces: {
      module: "actors/task-generator/admission.ts",
      name: "decide",
      as: `(request, memory, ...rest) => {
        const nameless = (asked) => asked.map((each) => ({ ...each, taskId: "none" }));
        return sound.decide(request, new Map([...memory].map(([key, asked]) => [key, nameless(asked)])), ...rest);
      }`,
    },
  },
  {
    name: "a parked group is asked about again and again",
    replaces: {
      module: "protocols/look.ts",
      name: "changeOf",
      as: "() => 1",
    },
  },
  {
    name: "a task is made in spite of the cooldown",
    replaces: {
      module: "protocols/candidate.ts",
      name: "memoryRefusal",
      as: '(...given) => (sound.memoryRefusal(...given) === "unchanged" ? "unchanged" : null)',
    },
  },
  {
    name: "a quota counts a call when it ends",
    replaces: {
      module: "actors/scheduler/window.ts",
      name: "sendLimit",
      as: `(...given) => {
        const limit = sound.sendLimit(...given);
        const callMs = 1_500;
        let open = [];
        const nextAtMs = (nowMs, tokens) => {
          for (const atMs of open) if (atMs + callMs <= nowMs) limit.take(atMs + callMs);
          open = open.filter((atMs) => atMs + callMs > nowMs);
          return limit.nextAtMs(nowMs, tokens);
        };
        const take = (nowMs, tokens) => {
          open.push(nowMs);
          return { order: 0, atMs: nowMs, tokens };
        };
        return over(limit, { nextAtMs, take });
      }`,
    },
  },
  {
    name: "an answer that was paid for and stored is not looked for",
    replaces: { module: "actors/scheduler/result.ts", name: "decodeAnswer", as: "() => null" },
  },
  {
    name: "an actor that restarts reads before its own last records are durable",
    replaces: {
      module: "runtime/outlet.ts",
      name: "createOutlet",
      as: "(...given) => over(sound.createOutlet(...given), { flushed: () => Promise.resolve() })",
    },
  },
];

export const plantedBugs: readonly PlantedBug[] = [...sabotages, ...replacements];

const root = join(import.meta.dirname, "../../..");
const copied = ["runtime", "actors", "protocols", "test/support", "package.json"];

/** The sound thing with some of its functions replaced, whatever it is made of. */
const over = `const over = (whole, parts) =>
  new Proxy(whole, { get: (_, key) => parts[key] ?? (typeof whole[key] === "function" ? whole[key].bind(whole) : whole[key]) });
`;

/** The sound module stands aside under another name; what took its place hands on all but one of its exports. */
const plant = async (folder: string, { module, name, as }: Replacement) => {
  const path = join(folder, module);
  const soundPath = path.replace(/\.ts$/, ".sound.ts");
  renameSync(path, soundPath);
  const from = JSON.stringify(`./${basename(soundPath)}`);
  writeFileSync(path, `import * as sound from ${from};\n${"export"} * from ${from};\n${over}export const ${name} = ${as};\n`);
  if (!(name in (await import(soundPath)))) throw new Error(`${module} exports no ${name}: plant the bug elsewhere`);
};

export type Notice = { readonly seed: number; readonly says: string };

/** The first seed up to `seedMax` that notices the bug, and what it says; null when none does. */
export const notice = async (bug: PlantedBug, seedMax: number): Promise<Notice | null> => {
  if ("sabotage" in bug) return firstViolation((seed) => simulate(seed, { sabotage: bug.sabotage }), seedMax);
  const folder = mkdtempSync(join(tmpdir(), "vedette-planted-"));
  try {
    for (const part of copied) cpSync(join(root, part), join(folder, part), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
    await plant(folder, bug.replaces);
    const copy: { simulate: typeof Simulate } = await import(join(folder, "test/support/sim/simulate.ts"));
    return await firstViolation(copy.simulate, seedMax);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const firstViolation = async (play: typeof Simulate, seedMax: number): Promise<Notice | null> => {
  for (let seed = 1; seed <= seedMax; seed++) {
    const [says] = await play(seed).then(
      ({ violations }) => violations,
      (thrown: unknown) => {
        if (thrown instanceof TypeError) throw thrown; // a bug that was planted wrongly
        return [`the run failed: ${reasonOf(thrown)}`];
      },
    );
    if (says !== undefined) return { seed, says };
  }
  return null;
};
