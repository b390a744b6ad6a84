/** Which frames are news. One frame of a camera is in flight at a time, so an older one can only come from a former owner or run. */

export type FrameStamp = { readonly ownerEpoch: number; readonly seq: number; readonly capturedAt: number };

/**
 * A camera that was restarted under the same owner counts from 0 again. Its frames are told from late ones by their capture time:
 * a late frame was captured before the last one, and no frame stays in flight for so long as this.
 */
const IN_FLIGHT_MAX_MS = 5000;

export type FrameOrder = "next" | "restart" | "out_of_order";

/** `restart`: the frame is news, but what is known of former frames does not carry over. */
export const frameOrder = (last: FrameStamp | null, frame: FrameStamp): FrameOrder => {
  if (last === null) return "next";
  if (frame.ownerEpoch !== last.ownerEpoch) return frame.ownerEpoch > last.ownerEpoch ? "restart" : "out_of_order";
  if (frame.seq > last.seq) return "next";
  const beforeMs = last.capturedAt - frame.capturedAt;
  return beforeMs >= 0 && beforeMs <= IN_FLIGHT_MAX_MS ? "out_of_order" : "restart";
};
