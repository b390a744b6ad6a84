/** The incidents that are open, and what is kept of each in the store, so that a restart goes on where it stood. */
import { decode, encode } from "@msgpack/msgpack";
import { Incident, incidentFacts, incidentRecordId } from "../../protocols/incident.ts";
import type { Fact, Store } from "../../runtime/store.ts";
import { endedIncident, hasSighting, incidentOf, type Sighting, withSighting } from "./incident.ts";

type Open = {
  readonly incident: Incident;
  /** Since when nothing was heard of it. */
  readonly quietFromMs: number;
  /** Not heard of by this aggregator: another may be the one that hears its camera. */
  readonly isInherited: boolean;
};
/** By id. */
export type OpenIncidents = Map<string, Open>;

/** Ids of incidents that ended, and of the tasks that told of them, oldest first: what is delivered again opens none of them anew. */
export type EndedIncidents = Set<string>;

export const openMax = 5_000;
const endedIdsMax = 50_000;
const pageMax = 1_000;

const { ttlMs } = incidentFacts;
/** So long it can be told again that one has ended, when its record was lost in a crash: no longer than the topic is read back. */
const endedTtlMs = 10 * 60_000;

export const readIncident = (bytes: Uint8Array): Incident | null => {
  try {
    return { type: "incident", ...Incident.schema.parse(decode(bytes)) };
  } catch {
    return null; // a fact of another shape: the topic still tells what was said lately
  }
};

/** What is kept of it. */
export const factsOf = (incident: Incident): readonly Fact[] => {
  const { type: _, ...fields } = incident;
  const bytes = encode(fields, { ignoreUndefined: true });
  const at = incidentFacts.at(incident);
  return [
    { key: at, bytes, ttlMs },
    { key: incidentFacts.place(incident.id), bytes: encode(at), ttlMs },
    { key: incidentFacts.open(incident.id), bytes, ttlMs: incident.phase === "end" ? endedTtlMs : ttlMs },
  ];
};

/** The open ones, and those that ended lately. */
export const loadKept = async (store: Store): Promise<readonly Incident[]> => {
  const found: Incident[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await store.list(incidentFacts.allOpen, pageMax, after);
    for (const { bytes } of page) {
      const incident = readIncident(bytes);
      if (incident) found.push(incident);
    }
    after = page.at(-1)?.key;
    if (after === undefined || found.length >= openMax) return found;
  }
};

/** The topic may know more than the store: both were written by the same turn, but not at the same moment. */
export const openOf = (incidents: Iterable<Incident>, nowMs: number): OpenIncidents => {
  const newest = new Map<string, Incident>();
  for (const incident of incidents) {
    const known = newest.get(incident.id);
    if (!known || known.revision < incident.revision) newest.set(incident.id, incident);
  }
  const open: OpenIncidents = new Map();
  for (const { ack: _, ...incident } of newest.values()) {
    // What was seen while nobody was here is still to come.
    const quietFromMs = Math.max(incident.updatedAt, nowMs);
    if (incident.phase !== "end") open.set(incident.id, { incident, quietFromMs, isInherited: true });
  }
  return open;
};

export const noteEnded = (ended: EndedIncidents, { id, verdicts }: Incident): void => {
  for (const each of [id, ...verdicts.map(({ taskId }) => taskId)]) ended.add(each);
  for (const oldest of ended) {
    if (ended.size <= endedIdsMax) return;
    ended.delete(oldest);
  }
};

export const endedOf = (incidents: Iterable<Incident>): EndedIncidents => {
  const ended: EndedIncidents = new Set();
  for (const incident of incidents) if (incident.phase === "end") noteEnded(ended, incident);
  return ended;
};

/** Takes in what the store was asked for late; returns what is news of it. What was heard meanwhile stands. */
export const inheritKept = (
  { open, ended }: { readonly open: OpenIncidents; readonly ended: EndedIncidents },
  kept: readonly Incident[],
  nowMs: number,
): readonly Incident[] => {
  const news = kept.filter((incident) => {
    const known = open.get(incident.id);
    return known ? known.isInherited && known.incident.revision < incident.revision : !ended.has(incident.id);
  });
  for (const incident of news) {
    if (incident.phase !== "end") continue;
    open.delete(incident.id);
    noteEnded(ended, incident);
  }
  for (const [id, each] of openOf(news, nowMs)) open.set(id, each);
  return news;
};

/** Told by the aggregator that heard its camera before: it is this one's own from now on. */
export const adoptIncident = (open: OpenIncidents, told: Incident, nowMs: number): void => {
  const known = open.get(told.id);
  if (known && known.incident.revision > told.revision) return;
  const { ack: _, ...incident } = told;
  if (told.phase === "end") open.delete(told.id);
  else open.set(told.id, { incident, quietFromMs: Math.max(told.updatedAt, nowMs), isInherited: false });
};

export const knownOf = (open: OpenIncidents, sighting: Sighting): Incident | null =>
  incidentOf(
    [...open.values()].map(({ incident }) => incident),
    sighting,
  );

/** What was saved and not told: the turn did both, and the process ended between the two. */
export const untold = (kept: readonly Incident[], told: readonly Incident[]): readonly Incident[] => {
  const ids = new Set(told.map(incidentRecordId));
  return kept.filter((incident) => !ids.has(incidentRecordId(incident)));
};

/** Puts the sighting in. Null when it is in already, also in one that ended; `too_many` when there are too many incidents. */
export const noteSighting = (
  { open, ended }: { readonly open: OpenIncidents; readonly ended: EndedIncidents },
  sighting: Sighting,
  evidenceId: string | null,
): Incident | null | "too_many" => {
  const known = knownOf(open, sighting);
  if (ended.has(sighting.result.taskId) || (known && hasSighting(known, sighting))) return null;
  if (!known && open.size >= openMax) return "too_many";
  const incident = withSighting(known, sighting, evidenceId);
  if (ended.has(incident.id)) return null; // its first task is no more among those that are kept of it
  const before = open.get(incident.id)?.quietFromMs ?? 0;
  open.set(incident.id, { incident, quietFromMs: Math.max(before, incident.updatedAt), isInherited: false });
  return incident;
};

/** Those that nothing was heard of for `quietMs`: its own are taken out and ended, inherited ones must be looked up first. */
export const endQuiet = (
  open: OpenIncidents,
  nowMs: number,
  quietMs: number,
): { readonly ended: readonly Incident[]; readonly doubtful: readonly Incident[] } => {
  const ended: Incident[] = [];
  const doubtful: Incident[] = [];
  for (const [id, { incident, quietFromMs, isInherited }] of open) {
    if (nowMs - quietFromMs < quietMs) continue;
    if (isInherited) {
      // Asked once; when there is no answer, again after as long a silence.
      open.set(id, { incident, quietFromMs: nowMs, isInherited });
      doubtful.push(incident);
      continue;
    }
    open.delete(id);
    ended.push(endedIncident(incident));
  }
  return { ended, doubtful };
};

/** An inherited incident as the store has it: ended here, or left to the aggregator that goes on with it. */
export const settleDoubt = (open: OpenIncidents, id: string, stored: Incident | null): Incident | null => {
  const known = open.get(id);
  if (!known?.isInherited) return null; // heard of meanwhile
  open.delete(id);
  return stored && stored.revision > known.incident.revision ? null : endedIncident(known.incident);
};
