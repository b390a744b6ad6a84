/** The thread of one detector session. It is told slot numbers only: the pixels lie in shared memory. */
import { systemClock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { attachFramePool, type FrameViews } from "../../runtime/frame-pool.ts";
import type { Answer, Order } from "./host.ts";
import type { DetectorSession } from "./session.ts";

declare const self: Worker; // in a worker `self` posts to its parent

let frames: FrameViews | null = null;
let session: DetectorSession | null = null;

const answer = (value: Answer) => self.postMessage(value);

const carryOut = async (order: Order): Promise<void> => {
  switch (order.type) {
    case "start": {
      try {
        // Imported here, so that a platform without the native library is an answer and not a dead thread.
        const { openSession } = await import("./session.ts");
        frames = attachFramePool(order.buffer, order.layout);
        session = await openSession(order.model, order.plan, order.executionProviders);
        answer({ type: "ready", provider: session.provider, refused: session.refused });
      } catch (failure) {
        answer({ type: "failed", reason: reasonOf(failure) });
      }
      return;
    }
    case "run": {
      try {
        if (!session || !frames) throw new Error("a run was ordered before a start");
        const startedMs = systemClock.monotonicMs();
        const detections = await session.detect(frames.input(order.lease), order.geometry);
        answer({ type: "detected", id: order.id, detections, inferenceMs: systemClock.monotonicMs() - startedMs });
      } catch (failure) {
        answer({ type: "run-failed", id: order.id, reason: reasonOf(failure) });
      }
      return;
    }
    case "stop": {
      // A session that cannot be released goes with its thread.
      await session?.release().catch(() => {});
      answer({ type: "stopped" });
    }
  }
};

let last: Promise<void> = Promise.resolve();
self.onmessage = ({ data }: MessageEvent<Order>) => {
  last = last.then(() => carryOut(data));
};
