/** Which keys of a topic a stage has while several processes share it: those of the partitions that it was given. */
import { partitionOf } from "./partition.ts";

export type Holdings = {
  readonly partitions: ReadonlySet<number>;
  /** How many partitions the topic has. */
  readonly of: number;
};

export const holds = ({ partitions, of }: Holdings, key: string): boolean => partitions.has(partitionOf(key, of));
