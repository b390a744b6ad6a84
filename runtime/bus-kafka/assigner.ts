/** Shares partitions evenly among the members of a group, and leaves with each what it has, as far as that goes. */
import type { Cluster, GroupMember } from "kafkajs";
import { balance } from "../consumer-group.ts";
import { AssignerProtocol, type HookedAssigner, type Membership } from "./kafkajs.ts";

const name = "vedette-sticky";
/** 1 would have the broker read the owned partitions where kafkajs writes none. */
const version = 0;
const partitionBytes = 4;

/** The partitions that a member held before, as it tells the leader. */
const packOwned = (partitions: readonly number[]): Buffer => {
  const packed = Buffer.alloc(partitions.length * partitionBytes);
  for (const [index, partition] of partitions.entries()) packed.writeInt32BE(partition, index * partitionBytes);
  return packed;
};

const unpackOwned = (packed: Buffer | null | undefined): number[] => {
  const count = Math.floor((packed?.length ?? 0) / partitionBytes);
  return Array.from({ length: count }, (_, index) => packed?.readInt32BE(index * partitionBytes) ?? -1);
};

const ownedBy = ({ memberMetadata }: GroupMember): readonly number[] =>
  unpackOwned(AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData);

/** Who gets what of one topic; a partition that two members claim goes to the first by id. */
export const shareOut = (members: readonly GroupMember[], partitions: number): ReadonlyMap<string, readonly number[]> => {
  const sorted = [...members].sort((left, right) => (left.memberId < right.memberId ? -1 : 1));
  const owners: (string | null)[] = Array(partitions).fill(null);
  for (const member of sorted)
    for (const partition of ownedBy(member)) if (partition >= 0 && partition < partitions) owners[partition] ??= member.memberId;
  const ids = sorted.map(({ memberId }) => memberId);
  const shared = balance(owners, ids);
  return new Map(ids.map((id) => [id, shared.flatMap((owner, partition) => (owner === id ? [partition] : []))]));
};

export type MemberOfGroup = {
  /** What it held until now. */
  readonly owned: () => readonly number[];
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
      metadata: AssignerProtocol.MemberMetadata.encode({ version, topics, userData: packOwned(member.owned()) }),
    }),
  });
