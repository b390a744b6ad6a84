/**
 * Says of each frame which road users belong together and what is dangerous about them right now, and keeps pictures of those
 * groups that are worth a verdict. One instance a camera; viewers hear of a frame first, the topic next.
 */
import { type CandidateRules, candidateDefaults } from "../protocols/candidate.ts";
import type { DetectedObject, DetectionResult, LiveDetection } from "../protocols/detection.ts";
import type { FrameTracked, TrackedObject } from "../protocols/frame.ts";
import { taskIdOf, worstRisk } from "../protocols/ids.ts";
import { type Address, actor, type Context } from "../runtime/actor.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { uuidV7 } from "../runtime/random.ts";
import { type AskedGroups, noteAsked, worthAPicture } from "./clusterer/asked.ts";
import { cutEvidence, type EncodeCrop, type Evidence, type EvidenceOptions, evidenceDefaults } from "./clusterer/evidence.ts";
import { assignKeys, type GroupKeys, startKeys } from "./clusterer/group-key.ts";
import { type GroupingOptions, groupingDefaults } from "./clusterer/grouping.ts";
import { assess, restartScene, type Scene, startScene } from "./clusterer/risk-now.ts";
import { isOfInterest, type Polygon } from "./clusterer/roi.ts";
import { describe, gather } from "./clusterer/traffic-groups.ts";

export type ClustererArgs = {
  readonly live: Address<LiveDetection>;
  readonly metrics: Metrics;
  readonly encodeCrop: EncodeCrop;
  /** Regions of interest, asked for at each frame, so that an edited camera is heard of at once. */
  readonly roi?: () => readonly Polygon[];
  readonly grouping?: Partial<GroupingOptions>;
  readonly evidence?: Partial<EvidenceOptions>;
  /** Which groups are worth a picture: the task generator's own rules. */
  readonly candidates?: Partial<CandidateRules>;
};

type State = {
  readonly args: ClustererArgs;
  readonly rules: CandidateRules;
  readonly scene: Scene;
  readonly segment: number | null;
  readonly keys: GroupKeys | null;
  readonly asked: AskedGroups;
};

export const clusterer = actor<ClustererArgs, State, FrameTracked, DetectionResult>({
  name: "clusterer",
  mailbox: { capacity: 8, overflow: "drop-oldest" },

  start: (args) => ({
    args,
    rules: { ...candidateDefaults, ...args.candidates },
    scene: startScene(),
    segment: null,
    keys: null,
    asked: new Map(),
  }),

  on: {
    "frame.tracked": (state, frame, ctx) => {
      const { args, scene } = state;
      if (state.segment !== null && state.segment !== frame.segment) restartScene(scene);
      const keys = state.segment === frame.segment && state.keys ? state.keys : startKeys(originOf(frame));

      const polygons = args.roi?.() ?? [];
      const seen = frame.objects.filter(({ bbox }) => isOfInterest(polygons, bbox, frame.imageWidth, frame.imageHeight));
      const objects = seen.map(detectedObject);
      const { mediaTimeMs, imageWidth, imageHeight } = frame;
      const findings = assess(scene, { objects: seen, mediaTimeMs, imageWidth, imageHeight });
      const found = gather(objects, findings, { ...groupingDefaults, ...args.grouping });
      const members = found.map(({ group }) => group.memberIndices.map((index) => objects[index]?.trackId ?? -1));
      const groupKeys = assignKeys(keys, members, mediaTimeMs);
      const groups = found.map((each, index) => describe(each, index + 1, groupKeys[index] ?? "", objects));

      const { cameraId, capturedAt, detectionLatency, modelType } = frame;
      const maxRiskLevel = worstRisk(groups.map(({ riskLevel }) => riskLevel));
      const result: Omit<LiveDetection, "type"> = {
        messageId: uuidV7(ctx.nowMs(), ctx.random),
        cameraId,
        timestamp: new Date(capturedAt).toISOString(),
        capturedAt,
        imageWidth,
        imageHeight,
        detectedObjects: objects,
        trafficGroups: groups,
        hasDangerousDriving: maxRiskLevel !== "none",
        maxRiskLevel,
        detectionLatency,
        modelType,
      };
      const { images, omitted } = takeEvidence(state, result, frame, ctx);
      const record: DetectionResult = {
        ...result,
        type: "detection.result",
        schemaVersion: 1,
        traceId: ctx.trace,
        ownerEpoch: frame.ownerEpoch,
        seq: frame.seq,
        groupImages: [...images],
        ...(omitted > 0 ? { imagesOmitted: omitted } : {}),
      };
      ctx.tell(args.live, { ...result, type: "detection_result" }, ctx.lease ?? undefined);
      ctx.emit(record);
      args.metrics.trafficGroups.inc({ camera_id: String(cameraId) }, groups.length);
      return { ...state, segment: frame.segment, keys };
    },
  },
});

/** Track ids count from 1 again in each run of the lane, so keys made of them must say which run. */
const originOf = ({ cameraId, ownerEpoch, segment, seq }: FrameTracked): string => `${cameraId}|${ownerEpoch}|${segment}|${seq}`;

/** Made for each road user of each frame, so without spreading. */
const detectedObject = ({ class: className, confidence, bbox, trackId, velocity }: TrackedObject): DetectedObject => {
  if (!velocity) return { class: className, confidence, bbox, trackId };
  const [x, y] = velocity;
  return { class: className, confidence, bbox, trackId, speed: Math.sqrt(x * x + y * y) };
};

const takeEvidence = (
  { args, rules, asked }: State,
  { messageId, trafficGroups, detectedObjects }: Pick<LiveDetection, "messageId" | "trafficGroups" | "detectedObjects">,
  frame: FrameTracked,
  { frames, lease }: Context<FrameTracked>,
): Evidence => {
  const candidates = worthAPicture(asked, trafficGroups, detectedObjects, frame.capturedAt, rules);
  if (candidates.length === 0) return { images: [], omitted: 0 };
  if (!lease || !frames.isCurrent(lease)) {
    // The slot was taken away from under a slow frame: better no picture than one of another moment.
    args.metrics.dropped.inc({ actor: "clusterer", type: "evidence", reason: "no_picture" }, candidates.length);
    return { images: [], omitted: candidates.length };
  }
  const { pictureWidth: width, pictureHeight: height } = frames.header(lease);
  const picture = {
    pixels: frames.picture(lease),
    width,
    height,
    scaleX: width / frame.imageWidth,
    scaleY: height / frame.imageHeight,
  };
  const groups = candidates.map(({ group }) => group);
  const evidence = cutEvidence(groups, picture, args.encodeCrop, { ...evidenceDefaults, ...args.evidence });
  if (evidence.omitted > 0) {
    args.metrics.dropped.inc({ actor: "clusterer", type: "evidence", reason: "too_large" }, evidence.omitted);
  }
  const pictures = new Map(evidence.images.map((image) => [image.groupIndex, image]));
  for (const candidate of candidates) {
    const { groupIndex } = candidate.group;
    const image = pictures.get(groupIndex);
    if (image) noteAsked(asked, candidate, taskIdOf(messageId, groupIndex), image.hash ?? null, rules);
  }
  return evidence;
};
