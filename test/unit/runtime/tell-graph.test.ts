import { expect, test } from "bun:test";
import fc from "fast-check";
import { actor, addressOf } from "../../../runtime/actor.ts";
import { createTellGraph, type Edge } from "../../../runtime/tell-graph.ts";
import { dynamic, stage, supervisor } from "../../../runtime/tree.ts";
import { aSystem, tolerant } from "../../support/system.ts";
import { thrownBy } from "../../support/thrown.ts";

type Say = { readonly type: "say"; readonly cameraId?: number };

/** Tells what it hears to the first stage it was wired to. */
const teller = (name: string, to: string) =>
  actor<undefined, null, Say>({
    name,
    mailbox: { capacity: 8, overflow: "drop-newest" },
    start: () => null,
    on: {
      say: (state, message, { tell }) => {
        tell(addressOf<Say>(to), message);
        return state;
      },
    },
  });
const wired = (name: string, to: string) => stage(teller(name, to), { args: undefined, tells: [addressOf(to)] });

test("a circle is refused at the start, with the way around it", async () => {
  const thrown = await thrownBy(aSystem([wired("a", "root/b"), wired("b", "root/c"), wired("c", "root/a")]));
  expect(thrown).toMatchObject({ message: expect.stringContaining("root/a → root/b → root/c → root/a") });
});

test("a stage that is wired to itself is refused", async () => {
  expect(await thrownBy(aSystem([wired("a", "root/a")]))).toMatchObject({
    message: expect.stringContaining("root/a → root/a"),
  });
});

test("ways that part and meet again are no circle", async () => {
  const graph = createTellGraph();
  graph.add([
    ["a", "b"],
    ["a", "c"],
    ["b", "d"],
    ["c", "d"],
  ]);
  expect(() => graph.add([["d", "a"]])).toThrow("circle");
  graph.add([["d", "e"]]); // what was refused left nothing behind
});

test("a circle through a keyed stage is refused as the first child is made, and the child does not run", async () => {
  const lanes = dynamic("lanes", tolerant, (key) => wired(`lane-${key}`, "root/sink"), {
    onDemand: { entry: null, idleMs: 1_000 },
  });
  await using it = await aSystem([wired("sink", "root/lanes"), lanes]);
  it.system.tell(addressOf<Say>("root/lanes"), { type: "say", cameraId: 1 });
  await it.settle();
  expect(it.system.stages()).toEqual(["root/sink"]);
  expect(it.dropped).toEqual({ "root/lanes say dead_letter": 1 });
});

test("a message to a stage that this one is not wired to fails the turn, and says what to mend", async () => {
  await using it = await aSystem([stage(teller("a", "root/b"), { args: undefined })]);
  it.system.tell(addressOf<Say>("root/a"), { type: "say" });
  await it.settle();
  expect(it.system.snapshot().children[0]).toMatchObject({
    lastError: `root/a is not wired to root/b: name it in the stage's "tells"`,
  });
});

test("two children of one name are refused", async () => {
  const thrown = await thrownBy(aSystem([supervisor("s", "one_for_one", tolerant, [wired("a", "x"), wired("a", "y")])]));
  expect(thrown).toMatchObject({ message: "root/s has two children called a" });
});

test("edges are refused just when they close a circle", () => {
  const node = fc.integer({ min: 0, max: 6 }).map((number) => `n${number}`);
  const edges = fc.array(fc.tuple(node, node), { maxLength: 14 });
  /** The slow way: repeated joining of all ways. */
  const hasCircle = (all: readonly Edge[]): boolean => {
    const reach = new Set(all.map(([from, to]) => `${from} ${to}`));
    for (let grown = true; grown; ) {
      grown = false;
      for (const one of [...reach]) {
        for (const [from, to] of all) {
          const longer = `${one.split(" ")[0]} ${to}`;
          if (one.endsWith(` ${from}`) && !reach.has(longer)) grown = reach.add(longer) !== undefined;
        }
      }
    }
    return [...reach].some((way) => way.split(" ")[0] === way.split(" ")[1]);
  };
  fc.assert(
    fc.property(edges, (tried) => {
      const graph = createTellGraph();
      const kept: Edge[] = [];
      for (const edge of tried) {
        const expected = hasCircle([...kept, edge]);
        let refused = false;
        try {
          graph.add([edge]);
          kept.push(edge);
        } catch {
          refused = true;
        }
        if (refused !== expected) return false;
      }
      return true;
    }),
  );
});
