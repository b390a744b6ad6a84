/**
 * What it costs to say of a frame who belongs together and how they move. Goal: the cost grows with the neighbours, not with all
 * pairs. Not asked: what the rules find, pictures, how well the ground is estimated.
 */
import { type CameraModel, groundOf } from "../actors/clusterer/ground.ts";
import { type Group, groupingDefaults, groupObjects } from "../actors/clusterer/grouping.ts";
import { bodiesOf, type Histories, noteObjects } from "../actors/clusterer/kinematics.ts";
import { pairFindings } from "../actors/clusterer/rules.ts";
import { spatialOf } from "../actors/clusterer/spatial.ts";
import type { TrackedObject } from "../protocols/frame.ts";
import type { Bench } from "./bench.ts";
import { groupByAllPairs } from "./groups/all-pairs.ts";
import { type Contest, timeOf, type Work } from "./harness.ts";
import { crowdFrames, pictureHeight, pictureWidth } from "./tracking/crowd.ts";

const fps = 2;
const framesKept = 64;

/** On a mast, looking down: what a camera of such a picture is estimated to be. */
const mast: CameraModel = {
  centreU: pictureWidth / 2,
  centreV: pictureHeight / 2,
  focalPx: 0.9 * pictureWidth,
  pitch: (22 * Math.PI) / 180,
  heightM: 8,
};

const hashOf = (groups: readonly Group[]): number => {
  let hash = groups.length;
  for (const { memberIndices } of groups) for (const index of memberIndices) hash = (Math.imul(hash, 31) + index) | 0;
  return hash;
};

type Frames = readonly (readonly TrackedObject[])[];

const each =
  (frames: Frames, step: (objects: readonly TrackedObject[]) => number): Work =>
  (operations) => {
    let hash = 0;
    for (let frame = 0; frame < operations; frame++) hash = (Math.imul(hash, 31) + step(frames[frame % frames.length] ?? [])) | 0;
    return hash >>> 0;
  };

/** Frames of one stretch of film, played from its beginning in each run. */
const moving =
  (frames: Frames): Work =>
  (operations) => {
    const ground = groundOf(mast);
    let histories: Histories = new Map();
    let hash = 0;
    for (let operation = 0; operation < operations; operation++) {
      const at = operation % frames.length;
      if (at === 0) histories = new Map();
      const objects = frames[at] ?? [];
      const ms = (at * 1_000) / fps;
      noteObjects(histories, objects, ms);
      const bodies = bodiesOf(histories, objects, { ground, ms, imageWidth: pictureWidth, imageHeight: pictureHeight });
      hash = (Math.imul(hash, 31) + bodies.length + pairFindings(bodies).length) | 0;
    }
    return hash >>> 0;
  };

/** Runs of some milliseconds, whatever a frame costs. */
const sizeOf = (objects: number): number => Math.max(framesKept, Math.round(100_000 / objects));

const contestsOf = (count: number): Bench["contests"] => {
  const frames = (): Frames => crowdFrames(count, framesKept, fps);
  return [
    {
      name: `groups of ${count} objects`,
      open: (): Contest => {
        const film = frames();
        return {
          unit: "ns",
          size: sizeOf(count),
          isPure: true,
          isSameForAll: true,
          subject: { name: "sweep", run: timeOf(each(film, (objects) => hashOf(groupObjects(objects, groupingDefaults)))) },
          versus: [{ name: "all pairs", run: timeOf(each(film, (objects) => hashOf(groupByAllPairs(objects)))) }],
        };
      },
    },
    {
      name: `groups of ${count} objects, with their spacing`,
      open: (): Contest => {
        const film = frames();
        const step = (objects: readonly TrackedObject[]): number => {
          let members = 0;
          for (const { memberIndices, bbox } of groupObjects(objects, groupingDefaults)) {
            const inGroup = memberIndices.flatMap((index) => objects[index] ?? []);
            members += inGroup.length + Math.round(spatialOf(inGroup, bbox).minSpacing);
          }
          return members;
        };
        return { unit: "ns", size: sizeOf(count), isPure: true, subject: { name: "groups", run: timeOf(each(film, step)) } };
      },
    },
    {
      name: `kinematics and pairs of ${count} objects`,
      open: (): Contest => {
        const subject = { name: "kinematics", run: timeOf(moving(frames())) };
        return { unit: "ns", size: sizeOf(count), isPure: true, subject };
      },
    },
  ];
};

export const groups = (): Bench => ({
  name: "groups",
  notes: [
    `A frame's cost, for objects spread over a picture of ${pictureWidth} × ${pictureHeight} that move on straight ways, at ${fps} frames a second. Both ways`,
    "of grouping come to the same groups, by the same distance of 150 px, and describe them by the same code; all pairs is the form of",
    "the first systems, in this language. Kinematics: the histories of all, place and speed on the ground, and the rules for pairs.",
  ],
  contests: [10, 30, 100, 300].flatMap(contestsOf),
});
