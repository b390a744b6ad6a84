import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createAssigner } from "../../../../runtime/bus-kafka/assigner.ts";
import { type Claim, claimOf, createUnbroken, noClaim } from "../../../../runtime/bus-kafka/claims.ts";

const told = (claim: Claim) =>
  claimOf({
    memberMetadata: createAssigner("t", { claim: () => claim, joining: async () => {} })({ cluster: null as never }).protocol({
      topics: ["t"],
    }).metadata,
  });

test("a claim comes to the leader as it was told", () => {
  for (const claim of [noClaim, { generation: 0, partitions: [] }, { generation: 70_000, partitions: [0, 63, 5] }])
    expect(told(claim)).toEqual(claim);
});

test("a member that says nothing, or nothing whole, claims nothing", () => {
  expect(claimOf({ memberMetadata: Buffer.alloc(0) })).toEqual(noClaim);
  expect(told({ generation: 3, partitions: [] }).partitions).toEqual([]);
});

type Step =
  | { readonly given: readonly [id: string, generation: number, partitions: readonly number[]] }
  | { readonly others: readonly Claim[] };
const given = (id: string, generation: number, ...partitions: readonly number[]): Step => ({
  given: [id, generation, partitions],
});
const others = (...claims: readonly Claim[]): Step => ({ others: claims });

/** Of a member that was told `[1, 2]` in generation 5 under the id `a`. */
const table: readonly { says: string; steps: readonly Step[]; inDoubt: boolean; broken: readonly number[] }[] = [
  { says: "the next generation leaves what stays unbroken", steps: [given("a", 6, 1, 2)], inDoubt: false, broken: [] },
  { says: "what comes is broken, what stays is not", steps: [given("a", 6, 2, 3)], inDoubt: false, broken: [3] },
  {
    says: "what was away for one generation that was not told of is broken",
    steps: [given("a", 6, 2), given("a", 7, 1, 2)],
    inDoubt: false,
    broken: [1],
  },
  { says: "a generation that was missed leaves it in doubt", steps: [given("a", 8, 1, 2)], inDoubt: true, broken: [] },
  {
    says: "after a missed generation what another was given meanwhile is broken",
    steps: [given("a", 8, 1, 2), others({ generation: 6, partitions: [2, 9] })],
    inDoubt: false,
    broken: [2],
  },
  {
    says: "what another held before is no break",
    steps: [given("a", 8, 1, 2), others({ generation: 5, partitions: [2] })],
    inDoubt: false,
    broken: [],
  },
  {
    says: "a member that was expelled asks as one that missed generations does",
    steps: [given("b", 7, 1, 2), others({ generation: 6, partitions: [1, 2] })],
    inDoubt: false,
    broken: [1, 2],
  },
  {
    says: "one that joins anew after an outage and finds nobody in its place goes on",
    steps: [given("b", 6, 1, 2), others({ generation: 5, partitions: [3, 4] }, noClaim)],
    inDoubt: false,
    broken: [],
  },
  {
    says: "a doubt lasts over further generations until it is settled",
    steps: [given("b", 8, 1, 2), given("b", 9, 1, 2), others({ generation: 7, partitions: [1] })],
    inDoubt: false,
    broken: [1],
  },
  { says: "one that holds nothing has nothing in doubt", steps: [given("a", 6), given("b", 9, 1)], inDoubt: false, broken: [1] },
];

describe("what was held without a break", () => {
  for (const { says, steps, inDoubt, broken } of table)
    test(says, () => {
      const it = createUnbroken();
      it.given("a", 5, [1, 2]);
      expect(it.report()).toEqual([1, 2]);
      for (const step of steps) "given" in step ? it.given(...step.given) : it.settle(step.others);
      expect(it.isDoubtful()).toBe(inDoubt);
      expect(it.report()).toEqual([...broken]);
    });
});

test("as long as no generation is missed, it says of each partition whether another was given it since the last report", () => {
  const generation = fc.record({ mine: fc.subarray([0, 1, 2, 3, 4, 5]), isTold: fc.boolean() });
  const property = fc.property(fc.array(generation, { minLength: 1, maxLength: 20 }), (generations) => {
    const it = createUnbroken();
    let since: (readonly number[])[] = [[]];
    for (const [index, { mine, isTold }] of generations.entries()) {
      it.given("a", index, mine);
      since.push(mine);
      if (!isTold) continue;
      const always = (partition: number) => since.every((held) => held.includes(partition));
      expect(it.report()).toEqual(mine.filter((partition) => !always(partition)));
      since = [mine];
    }
    expect(it.isDoubtful()).toBe(false);
    expect(it.claim()).toEqual({ generation: generations.length - 1, partitions: generations.at(-1)?.mine ?? [] });
  });
  fc.assert(property, { numRuns: 300 });
});
