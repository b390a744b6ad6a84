/**
 * Keys by which alerts follow a group. A group's ordinal changes from frame to frame; its members mostly stay. A group takes
 * the key of the former group it shares most members with, if these are most of that group's members or of both groups'
 * members together; a group without such a predecessor gets a key made of its founding members.
 */

export type GroupKeys = {
  /** Makes the keys of this camera and this run its own: track ids count from 1 again after a restart. */
  readonly origin: string;
  /** By key. Changed in place. */
  readonly known: Map<string, Known>;
};
type Known = { members: ReadonlySet<number>; readonly bornMs: number; lastSeenMs: number };

/** A group out of sight keeps its key for so long: a track may be lost for 3 s and come back under its id. */
const FORGET_AFTER_MS = 3000;
const KNOWN_MAX = 1000;
/** Of the former members, or of all members of both together, so many must be shared. */
const SHARED_LEAST = 0.5;

export const startKeys = (origin: string): GroupKeys => ({ origin, known: new Map() });

type Kinship = {
  readonly group: number;
  readonly key: string;
  readonly shared: number;
  readonly jaccard: number;
  readonly bornMs: number;
};

/** The key of each group, in order. Every key is used once a frame. Media time may not go back. */
export const assignKeys = (keys: GroupKeys, groups: readonly (readonly number[])[], mediaTimeMs: number): string[] => {
  for (const [key, known] of keys.known) {
    if (mediaTimeMs - known.lastSeenMs > FORGET_AFTER_MS) keys.known.delete(key);
  }
  const assigned: (string | undefined)[] = groups.map(() => undefined);
  const taken = new Set<string>();
  for (const { group, key } of kinships(keys, groups)) {
    if (assigned[group] !== undefined || taken.has(key)) continue;
    assigned[group] = key;
    taken.add(key);
  }
  return groups.map((members, index) => {
    const key = assigned[index] ?? foundingKey(keys, members);
    const bornMs = keys.known.get(key)?.bornMs ?? mediaTimeMs;
    // Deleting first keeps the map in order of last sight, so the first entry is the one to forget.
    keys.known.delete(key);
    keys.known.set(key, { members: new Set(members), bornMs, lastSeenMs: mediaTimeMs });
    for (const [oldest] of keys.known) {
      if (keys.known.size <= KNOWN_MAX) break;
      keys.known.delete(oldest);
    }
    return key;
  });
};

/** Closest kin first; on a tie the older group, so that of two halves of a group one always keeps the key. */
const kinships = (keys: GroupKeys, groups: readonly (readonly number[])[]): Kinship[] => {
  const keysOfMember = new Map<number, string[]>();
  for (const [key, { members }] of keys.known) {
    for (const member of members) {
      const there = keysOfMember.get(member);
      if (there) there.push(key);
      else keysOfMember.set(member, [key]);
    }
  }
  const found: Kinship[] = [];
  groups.forEach((members, group) => {
    const sharedWith = new Map<string, number>();
    for (const member of members) {
      for (const key of keysOfMember.get(member) ?? []) sharedWith.set(key, (sharedWith.get(key) ?? 0) + 1);
    }
    for (const [key, shared] of sharedWith) {
      const known = keys.known.get(key);
      if (!known) continue;
      const jaccard = shared / (known.members.size + members.length - shared);
      if (shared / known.members.size > SHARED_LEAST || jaccard >= SHARED_LEAST) {
        found.push({ group, key, shared, jaccard, bornMs: known.bornMs });
      }
    }
  });
  return found.sort(
    (a, b) =>
      b.shared - a.shared || b.jaccard - a.jaccard || a.bornMs - b.bornMs || a.group - b.group || (a.key < b.key ? -1 : 1),
  );
};

const foundingKey = (keys: GroupKeys, members: readonly number[]): string => {
  const founders = members.toSorted((a, b) => a - b).join(",");
  // The same founders may stand apart and together again while another group still bears their key.
  for (let attempt = 0; ; attempt++) {
    const key = `g${hash(`${keys.origin}|${founders}|${attempt}`)}`;
    if (!keys.known.has(key)) return key;
  }
};

/** FNV-1a, 32 bits, from two different starts: 64 bits in 16 hexadecimal digits. */
const hash = (text: string): string => fnv1a(text, 0x811c9dc5) + fnv1a(text, 0x9e3779b9);

const fnv1a = (text: string, start: number): string => {
  let state = start;
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  return (state >>> 0).toString(16).padStart(8, "0");
};
