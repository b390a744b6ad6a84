/**
 * What a member of a group held and in which generation of the group it was given it: told to the leader at each joining, who
 * leaves with each what it has (after Kafka's KIP-54). A claim of a later generation stands above one of an earlier: who was
 * away for a while finds what it held with another.
 */
import type { GroupMember } from "kafkajs";
import { AssignerProtocol } from "./kafkajs.ts";

export type Claim = { readonly generation: number; readonly partitions: readonly number[] };

export const noClaim: Claim = { generation: -1, partitions: [] };

const numberBytes = 4;

export const packClaim = ({ generation, partitions }: Claim): Buffer => {
  const packed = Buffer.alloc((1 + partitions.length) * numberBytes);
  for (const [index, number] of [generation, ...partitions].entries()) packed.writeInt32BE(number, index * numberBytes);
  return packed;
};

/** What a member told when it joined. */
export const claimOf = ({ memberMetadata }: Pick<GroupMember, "memberMetadata">): Claim => {
  const packed = memberMetadata.length === 0 ? null : AssignerProtocol.MemberMetadata.decode(memberMetadata)?.userData;
  const count = Math.floor((packed?.length ?? 0) / numberBytes);
  if (!packed || count === 0) return noClaim;
  const [generation = noClaim.generation, ...partitions] = Array.from({ length: count }, (_, index) =>
    packed.readInt32BE(index * numberBytes),
  );
  return { generation, partitions };
};

/** Of the partitions of one member, those that it held all the time since they were last reported. */
export type Unbroken = {
  /** The member was given `partitions`, in a generation of the group. */
  readonly given: (memberId: string, generation: number, partitions: readonly number[]) => void;
  /** Generations passed without this member, in which others may have held what it had: the claims of all decide. */
  readonly isDoubtful: () => boolean;
  readonly settle: (others: readonly Claim[]) => void;
  /** All that the member holds was reported. Answers what another may have held since the report before. */
  readonly report: () => readonly number[];
  readonly claim: () => Claim;
};

export const createUnbroken = (): Unbroken => {
  let claim = noClaim;
  let memberId = "";
  let unbroken = new Set<number>();
  /** The last generation of which it is certain that nobody held what is unbroken; null when nothing is in doubt. */
  let certain: number | null = null;
  return {
    given(id, generation, partitions) {
      const isNext = id === memberId && generation === claim.generation + 1;
      if (!isNext && unbroken.size > 0) certain ??= claim.generation;
      memberId = id;
      claim = { generation, partitions };
      unbroken = unbroken.intersection(new Set(partitions));
    },
    isDoubtful: () => certain !== null,
    settle(others) {
      const since = certain ?? Number.POSITIVE_INFINITY;
      for (const other of others)
        if (other.generation > since) for (const partition of other.partitions) unbroken.delete(partition);
      certain = null;
    },
    report() {
      const broken = claim.partitions.filter((partition) => !unbroken.has(partition));
      unbroken = new Set(claim.partitions);
      return broken;
    },
    claim: () => claim,
  };
};
