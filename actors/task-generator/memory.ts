/** What the task generator remembers of all cameras, and the facts by which a restart knows it again. */
import { decode, encode } from "@msgpack/msgpack";
import { z } from "zod";
import { Asked, type CameraMemory, type GroupMemory, remember } from "../../protocols/candidate.ts";
import { lookOf } from "../../protocols/look.ts";
import type { AssessmentTask } from "../../protocols/task.ts";
import type { Store } from "../../runtime/store.ts";

export type Memory = {
  /** The camera that was heard of last stands last. */
  readonly cameras: Map<number, Map<string, GroupMemory>>;
  groups: number;
};

/** Over all cameras; beyond, those that nothing was asked about for longest are forgotten. */
const groupsMax = 20_000;
const groupsOfCameraMax = 256;

/** Facts are found again by this. */
const memoryPrefix = "asked:";
const pageMax = 1_000;

const empty: CameraMemory = new Map();
export const newMemory = (): Memory => ({ cameras: new Map(), groups: 0 });
export const memoryOf = ({ cameras }: Memory, cameraId: number): CameraMemory => cameras.get(cameraId) ?? empty;

export const learn = (memory: Memory, cameraId: number, groupKey: string, asked: Asked, keepMs: number): void => {
  const { cameras } = memory;
  const groups = cameras.get(cameraId) ?? new Map<string, GroupMemory>();
  cameras.delete(cameraId);
  cameras.set(cameraId, groups);
  const before = groups.size;
  remember(groups, groupKey, asked, { keepMs, groupsMax: groupsOfCameraMax });
  memory.groups += groups.size - before;
  for (const [oldest, { size }] of cameras) {
    if (memory.groups <= groupsMax || oldest === cameraId) return;
    cameras.delete(oldest);
    memory.groups -= size;
  }
};

/** What a task in the log says of its group. */
export const askedBy = (task: AssessmentTask): Asked => ({
  taskId: task.taskId,
  capturedAt: task.capturedAt,
  riskLevel: task.riskLevel,
  look: lookOf(
    {
      bbox: task.groupMetadata.bbox,
      memberTrackIds: task.detectedObjects.map(({ trackId }) => trackId),
      spatial: task.spatial,
      hazards: task.hazards,
    },
    task.detectedObjects,
  ),
  hash: task.imageHash ?? null,
});

const Kept = z.array(Asked);

export const factKey = (cameraId: number, groupKey: string): string => `${memoryPrefix}${cameraId}:${groupKey}`;
export const encodeGroup = (group: GroupMemory): Uint8Array => encode(group, { ignoreUndefined: true });

type Fact = { readonly cameraId: number; readonly groupKey: string; readonly group: GroupMemory };

/** Null for a fact of another shape: what it told is learnt again. */
const readFact = (key: string, bytes: Uint8Array): Fact | null => {
  const [, camera, groupKey] = /^asked:(\d+):(.+)$/s.exec(key) ?? [];
  if (camera === undefined || groupKey === undefined) return null;
  try {
    return { cameraId: Number(camera), groupKey, group: Kept.parse(decode(bytes)) };
  } catch {
    return null;
  }
};

export const readFacts = async (store: Pick<Store, "list">): Promise<Fact[]> => {
  const facts: Fact[] = [];
  let after: string | undefined;
  do {
    const page = await store.list(memoryPrefix, pageMax, after);
    for (const { key, bytes } of page) facts.push(...[readFact(key, bytes)].filter((fact) => fact !== null));
    after = page.at(-1)?.key;
  } while (after !== undefined && facts.length < groupsMax);
  return facts;
};
