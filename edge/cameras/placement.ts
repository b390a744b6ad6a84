/** Runs here, of the cameras that are to run somewhere, those that this process owns and those that were begun here. */
import type { CameraSettings } from "../../protocols/camera.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Fleet, Where } from "./book.ts";

export type Placement = Fleet & {
  /** Looks again at who owns what: starts what came, stops what left, begins anew what was another's meanwhile, and leaves alone what stays. */
  readonly review: () => void;
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
  let lastEpoch = 0;

  /** Frames of the owner that took over last stand above those of the one before; by the clock, since the two share nothing else. */
  const epochOf = (ownerEpoch: number): number => {
    lastEpoch = Math.max(ownerEpoch, lastEpoch + 1, Math.floor(clock.nowMs() / 1_000));
    return lastEpoch;
  };
  const run = (id: number, { settings, ownerEpoch, where }: Wanted, term: number) => {
    running.set(id, term);
    fleet.start(settings, epochOf(ownerEpoch), where);
  };
  const end = (id: number) => {
    if (running.delete(id)) fleet.stop(id);
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
      end(id);
    },
    review() {
      for (const [id, entry] of wanted) {
        const term = termHere(id, entry);
        if (term === null) end(id);
        else if (running.get(id) !== term) run(id, entry, term);
      }
    },
    isHere: (id) => running.has(id),
  };
};
