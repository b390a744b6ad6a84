/** Pictures of the groups worth a verdict, cut out of the frame while its slot is still held, and kept within a record's bounds. */
import type { GroupImage, TrafficGroup } from "../../protocols/detection.ts";
import { pictureHash } from "./picture-hash.ts";

/** Cuts `box` with a margin out of an RGB picture, as a JPEG of at most `maxBytes`; `null` when nothing is left of it. */
export type EncodeCrop = (
  picture: Uint8Array,
  width: number,
  height: number,
  box: readonly [number, number, number, number],
  marginPx: number,
  limits: { readonly quality: number; readonly maxBytes: number },
) => Uint8Array | null;

/** The picture in the frame's slot; boxes are in pixels of the original frame. */
export type Picture = {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Picture pixels per pixel of the original frame. */
  readonly scaleX: number;
  readonly scaleY: number;
};

export type EvidenceOptions = {
  /** In pixels of the original frame. */
  readonly marginPx: number;
  /** JPEG, 1 to 100. */
  readonly quality: number;
  readonly imageMaxBytes: number;
  /** Of all pictures of a frame together. */
  readonly recordMaxBytes: number;
};

export const evidenceDefaults: EvidenceOptions = {
  marginPx: 12,
  quality: 90,
  imageMaxBytes: 65_536,
  // Half of what a record may hold, so that objects and groups always find room.
  recordMaxBytes: 524_288,
};

export type Evidence = {
  readonly images: readonly GroupImage[];
  /** Groups whose picture would have passed a bound, or could not be made. */
  readonly omitted: number;
};

export const cutEvidence = (
  groups: readonly TrafficGroup[],
  picture: Picture,
  encodeCrop: EncodeCrop,
  options: EvidenceOptions,
): Evidence => {
  const images: GroupImage[] = [];
  const { scaleX, scaleY } = picture;
  for (const { groupIndex, objectCount, classes, bbox } of groups) {
    const box = [bbox[0] * scaleX, bbox[1] * scaleY, bbox[2] * scaleX, bbox[3] * scaleY] as const;
    const image = encodeCrop(picture.pixels, picture.width, picture.height, box, options.marginPx * scaleX, {
      quality: options.quality,
      maxBytes: options.imageMaxBytes,
    });
    if (!image || image.byteLength > options.imageMaxBytes) continue;
    const hash = pictureHash(picture.pixels, picture.width, picture.height, box, options.marginPx * scaleX);
    images.push({ groupIndex, objectCount, classes, image, ...(hash === null ? {} : { hash }) });
  }
  const kept = withinBytes(images, options.recordMaxBytes);
  return { images: kept, omitted: groups.length - kept.length };
};

/** Drops the largest until the rest fits; of equally large ones the later. */
const withinBytes = (images: readonly GroupImage[], maxBytes: number): GroupImage[] => {
  let bytes = images.reduce((sum, { image }) => sum + image.byteLength, 0);
  const dropped = new Set<GroupImage>();
  const largestFirst = images.toSorted((a, b) => b.image.byteLength - a.image.byteLength || b.groupIndex - a.groupIndex);
  for (const image of largestFirst) {
    if (bytes <= maxBytes) break;
    dropped.add(image);
    bytes -= image.image.byteLength;
  }
  return images.filter((image) => !dropped.has(image));
};
