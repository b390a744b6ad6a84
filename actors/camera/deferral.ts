/**
 * Which packets of a live stream wait to be decoded until a picture is wanted. Those that still wait when the next key frame
 * comes are never decoded: no wanted picture is made of them. With key frames every 0.6 s and 2 of 5 pictures a second wanted
 * that is every fourth. Pure.
 */

export type Deferral = {
  /** `now`: decode what waits, unless this is a key frame, and then this one. */
  readonly take: (packet: { readonly isKey: boolean; readonly pts: bigint | null }, isWanted: boolean) => "now" | "later";
};

/**
 * Packets from key frame to key frame, at most. Where key frames are rare there is little to gain, and what waits would have to
 * be decoded all at once, while the wanted picture grows old.
 */
const distanceMax = 16;

export const createDeferral = (): Deferral => {
  let sinceKey: number | null = null;
  let distance: number | null = null;
  let lastPts: bigint | null = null;
  /** Pictures that are shown in another order than they come in (B-frames) come out of the decoder some packets later. */
  let isInOrder = true;
  return {
    take({ isKey, pts }, isWanted) {
      if (pts !== null && lastPts !== null && pts <= lastPts) isInOrder = false;
      lastPts = pts ?? lastPts;
      if (isKey) {
        distance = sinceKey === null ? null : sinceKey + 1;
        sinceKey = 0;
      } else if (sinceKey !== null) sinceKey++;
      // A stream's first packet often has no time yet.
      const mayWait = isInOrder && pts !== null && distance !== null && distance <= distanceMax && (sinceKey ?? 0) < distanceMax;
      return isWanted || !mayWait ? "now" : "later";
    },
  };
};
