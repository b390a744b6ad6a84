/** Runs here, of the cameras that are to run somewhere, those that this process owns and those that were begun here. */
import type { CameraSettings } from "../../protocols/camera.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Fleet, Where } from "./book.ts";

export type Placement = Fleet & {
  /** Looks again at who owns what: starts what came, stops what left, and leaves alone what stays. */
  readonly review: () => void;
  readonly isHere: (id: number) => boolean;
};

type Wanted = { readonly settings: CameraSettings; readonly ownerEpoch: number; readonly where: Where };

export const createPlacement = (fleet: Fleet, owns: (id: number) => boolean, clock: Clock): Placement => {
  const wanted = new Map<number, Wanted>();
  const running = new Set<number>();
  let lastEpoch = 0;

  /** Frames of the owner that took over last stand above those of the one before; by the clock, since the two share nothing else. */
  const epochOf = (ownerEpoch: number): number => {
    lastEpoch = Math.max(ownerEpoch, lastEpoch + 1, Math.floor(clock.nowMs() / 1_000));
    return lastEpoch;
  };
  const run = (id: number, { settings, ownerEpoch, where }: Wanted) => {
    running.add(id);
    fleet.start(settings, epochOf(ownerEpoch), where);
  };
  const end = (id: number) => {
    if (running.delete(id)) fleet.stop(id);
  };
  const isMine = (id: number, { where }: Wanted) => where === "here" || owns(id);

  return {
    start(settings, ownerEpoch, where) {
      const entry = { settings, ownerEpoch, where };
      wanted.set(settings.id, entry);
      if (isMine(settings.id, entry)) run(settings.id, entry);
      else end(settings.id);
    },
    stop(id) {
      wanted.delete(id);
      end(id);
    },
    review() {
      for (const [id, entry] of wanted) {
        const mine = isMine(id, entry);
        if (mine && !running.has(id)) run(id, entry);
        else if (!mine) end(id);
      }
    },
    isHere: (id) => running.has(id),
  };
};
