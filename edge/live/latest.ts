/** The last that is known of each camera: its detection result, and a picture while somebody asks for one. */
import type { LiveDetection } from "../../protocols/detection.ts";
import type { Cancel, Clock } from "../../runtime/clock.ts";
import { Fault } from "../../runtime/errors.ts";

export type Picture = { readonly jpeg: Uint8Array; readonly capturedAt: number };

const camerasMax = 10_000;
const waitersMax = 64;
/** After a picture was asked for, so long more are made. */
const askedForMs = 5_000;
const waitMs = 5_000;

export type Latest = {
  readonly detection: (cameraId: number) => LiveDetection | null;
  readonly note: (detection: LiveDetection) => void;
  readonly forget: (cameraId: number) => void;
  readonly isPictureAsked: (cameraId: number) => boolean;
  readonly notePicture: (cameraId: number, picture: Picture) => void;
  /** Asks for a picture: one made in the last seconds, else the next one. */
  readonly picture: (cameraId: number) => Promise<Picture>;
};

type Waiter = { readonly resolve: (picture: Picture) => void; readonly cancel: Cancel };

export const createLatest = (clock: Clock): Latest => {
  const detections = new Map<number, LiveDetection>();
  const pictures = new Map<number, Picture & { readonly madeAtMs: number }>();
  const askedAtMs = new Map<number, number>();
  const waiters = new Map<number, Set<Waiter>>();
  let waiting = 0;

  const isPictureAsked = (cameraId: number): boolean => {
    const at = askedAtMs.get(cameraId);
    if (at === undefined) return false;
    if (clock.monotonicMs() - at <= askedForMs) return true;
    askedAtMs.delete(cameraId);
    pictures.delete(cameraId); // nobody looks: a picture is large
    return false;
  };

  const wait = (cameraId: number): Promise<Picture> =>
    new Promise((resolve, reject) => {
      const mine = waiters.get(cameraId) ?? new Set();
      waiters.set(cameraId, mine);
      const done = () => {
        waiter.cancel();
        mine.delete(waiter);
        if (mine.size === 0) waiters.delete(cameraId);
        waiting -= 1;
      };
      const waiter: Waiter = {
        resolve(picture) {
          done();
          resolve(picture);
        },
        cancel: clock.after(waitMs, () => {
          done();
          reject(new Fault("unavailable", `camera ${cameraId} delivered no picture within ${waitMs / 1000} s`));
        }),
      };
      mine.add(waiter);
      waiting += 1;
    });

  return {
    detection: (cameraId) => detections.get(cameraId) ?? null,

    note(detection) {
      detections.set(detection.cameraId, detection);
      if (detections.size > camerasMax) detections.delete(detections.keys().next().value ?? 0);
    },

    forget(cameraId) {
      detections.delete(cameraId);
      pictures.delete(cameraId);
      askedAtMs.delete(cameraId);
    },

    isPictureAsked,

    notePicture(cameraId, picture) {
      if (!isPictureAsked(cameraId)) return;
      pictures.set(cameraId, { ...picture, madeAtMs: clock.monotonicMs() });
      for (const waiter of [...(waiters.get(cameraId) ?? [])]) waiter.resolve(picture);
    },

    picture(cameraId) {
      const isFresh = isPictureAsked(cameraId);
      if (askedAtMs.size < camerasMax) askedAtMs.set(cameraId, clock.monotonicMs());
      const found = isFresh ? pictures.get(cameraId) : undefined;
      if (found && clock.monotonicMs() - found.madeAtMs <= askedForMs) return Promise.resolve(found);
      if (waiting >= waitersMax) return Promise.reject(new Fault("rate_limited", `${waitersMax} pictures are being waited for`));
      return wait(cameraId);
    },
  };
};
