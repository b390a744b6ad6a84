import { describe, expect, test } from "bun:test";
import { createAssigner, shareOut } from "../../../../runtime/bus-kafka/assigner.ts";

/** A member as the leader of its group sees it: by its id and what its assigner told of it. */
const claiming = (memberId: string, generation: number, partitions: readonly number[]) => ({
  memberId,
  memberMetadata: createAssigner("t", { claim: () => ({ generation, partitions }), joining: async () => {} })({
    cluster: null as never,
  }).protocol({ topics: ["t"] }).metadata,
});
const member = (memberId: string, ...owned: number[]) => claiming(memberId, 1, owned);

const table = [
  { says: "one member gets all", members: [member("a")], partitions: 3, shares: { a: [0, 1, 2] } },
  {
    says: "members that held nothing share evenly",
    members: [member("b"), member("a")],
    partitions: 4,
    shares: { a: [0, 1], b: [2, 3] },
  },
  {
    says: "each keeps what it had",
    members: [member("a", 1, 3), member("b", 0, 2)],
    partitions: 4,
    shares: { a: [1, 3], b: [0, 2] },
  },
  {
    says: "a third is given only what the others must give",
    members: [member("a", 0, 1, 2), member("b", 3, 4, 5), member("c")],
    partitions: 6,
    shares: { a: [0, 1], b: [3, 4], c: [2, 5] },
  },
  {
    says: "what two claim goes to one of them",
    members: [member("a", 0, 1), member("b", 1, 0)],
    partitions: 2,
    shares: { a: [0], b: [1] },
  },
  {
    says: "what two claim stays with the one who was given it last",
    members: [claiming("a", 3, [0, 1, 2]), claiming("b", 4, [0, 1, 3])],
    partitions: 4,
    shares: { a: [2, 3], b: [0, 1] },
  },
  {
    says: "partitions that do not exist are not claimed",
    members: [member("a", 7, -1), member("b", 0)],
    partitions: 2,
    shares: { a: [1], b: [0] },
  },
  {
    says: "more members than partitions leaves some without",
    members: [member("a", 0), member("b"), member("c")],
    partitions: 1,
    shares: { a: [0], b: [], c: [] },
  },
];

describe("sharing out", () => {
  for (const { says, members, partitions, shares } of table)
    test(says, () => expect(Object.fromEntries(shareOut(members, partitions))).toEqual(shares));
});
