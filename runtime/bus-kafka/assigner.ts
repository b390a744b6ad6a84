/** Shares partitions evenly among the members of a group, and leaves with each what it has, as far as that goes. */
import type { Cluster, GroupMember } from "kafkajs";
import { balance } from "../consumer-group.ts";
import { type Claim, claimOf, packClaim } from "./claims.ts";
import { AssignerProtocol, type HookedAssigner, type Membership } from "./kafkajs.ts";

const name = "vedette-sticky";
/** 1 would have the broker read the owned partitions where kafkajs writes none. */
const version = 0;

/** Who gets what of one topic; a partition that two members claim is that one's who was given it last. */
export const shareOut = (members: readonly GroupMember[], partitions: number): ReadonlyMap<string, readonly number[]> => {
  const sorted = [...members].sort((left, right) => (left.memberId < right.memberId ? -1 : 1));
  const claims = sorted.map((member) => ({ memberId: member.memberId, ...claimOf(member) }));
  const owners: (string | null)[] = Array(partitions).fill(null);
  for (const claim of claims.toSorted((left, right) => right.generation - left.generation))
    for (const partition of claim.partitions) if (partition >= 0 && partition < partitions) owners[partition] ??= claim.memberId;
  const ids = sorted.map(({ memberId }) => memberId);
  const shared = balance(owners, ids);
  return new Map(ids.map((id) => [id, shared.flatMap((owner, partition) => (owner === id ? [partition] : []))]));
};

export type MemberOfGroup = {
  /** What it held until now. */
  readonly claim: () => Claim;
  readonly joining: (membership: Membership) => Promise<void>;
};

/** The assigner of one member of a group that reads one topic. */
export const createAssigner =
  (topic: string, member: MemberOfGroup) =>
  ({ cluster }: { readonly cluster: Cluster }): HookedAssigner => ({
    name,
    version,
    joining: member.joining,
    async assign({ members }) {
      const shares = shareOut(members, cluster.findTopicPartitionMetadata(topic).length);
      return members.map(({ memberId }) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version,
          assignment: { [topic]: [...(shares.get(memberId) ?? [])] },
          userData: Buffer.alloc(0),
        }),
      }));
    },
    protocol: ({ topics }) => ({
      name,
      metadata: AssignerProtocol.MemberMetadata.encode({ version, topics, userData: packClaim(member.claim()) }),
    }),
  });
