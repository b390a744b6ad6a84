/** Runs here, of the cameras that are to run somewhere, those that this process owns and those that were begun here. */
import type { CameraSettings } from "../../protocols/camera.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Fleet, Where } from "./book.ts";

export type Review = {
  /** Cameras that run here. */
  readonly running: number;
  readonly began: number;
  readonly ended: number;
};

export type Placement = Fleet & {
  /** Looks again at who owns what: begins what came or was another's meanwhile, ends what left, leaves alone what stays. */
  readonly review: () => Review;
  readonly isHere: (id: number) => boolean;
};

/** Of what runs here whoever owns it. */
const hereTerm = -1;

type Wanted = { readonly settings: CameraSettings; readonly ownerEpoch: number; readonly where: Where };

/** `termOf` is as of `Ownership`. */
export const createPlacement = (fleet: Fleet, termOf: (id: number) => number | null, clock: Clock): Placement => {
  const wanted = new Map<number, Wanted>();
  /** What runs, and in which term of ownership it was begun. */
  const running = new Map<number, number>();
  const lastEpochs = new Map<number, number>();

  /**
   * Frames of the owner that took over last stand above those of the one before; by the clock, since the two share nothing
   * else. Counted for each camera: one number for all would run ahead of the clock, and of whoever takes over next.
   */
  const epochOf = (id: number, ownerEpoch: number): number => {
    const epoch = Math.max(ownerEpoch, (lastEpochs.get(id) ?? 0) + 1, clock.nowMs());
    lastEpochs.set(id, epoch);
    return epoch;
  };
  const run = (id: number, { settings, ownerEpoch, where }: Wanted, term: number) => {
    running.set(id, term);
    fleet.start(settings, epochOf(id, ownerEpoch), where);
  };
  const end = (id: number): boolean => {
    const ran = running.delete(id);
    if (ran) fleet.stop(id);
    return ran;
  };
  const termHere = (id: number, { where }: Wanted) => (where === "here" ? hereTerm : termOf(id));

  return {
    start(settings, ownerEpoch, where) {
      const entry = { settings, ownerEpoch, where };
      wanted.set(settings.id, entry);
      const term = termHere(settings.id, entry);
      if (term !== null) run(settings.id, entry, term);
      else end(settings.id);
    },
    stop(id) {
      wanted.delete(id);
      lastEpochs.delete(id);
      end(id);
    },
    review() {
      let began = 0;
      let ended = 0;
      for (const [id, entry] of wanted) {
        const term = termHere(id, entry);
        if (term === running.get(id)) continue;
        if (term !== null) {
          run(id, entry, term);
          began++;
        } else if (end(id)) ended++;
      }
      return { running: running.size, began, ended };
    },
    isHere: (id) => running.has(id),
  };
};
