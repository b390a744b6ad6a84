/** Plays seeds for `run.ts`, one range after another. */
import { reasonOf } from "../../runtime/errors.ts";
import { type Outcome, simulate } from "../support/sim/simulate.ts";

export type Range = { readonly from: number; readonly to: number };
export type Played = { readonly seed: number; readonly outcome: Outcome | null; readonly failure: string };

declare const self: Worker;

self.onmessage = async ({ data }: MessageEvent<Range>) => {
  for (let seed = data.from; seed <= data.to; seed++) {
    const played: Played = await simulate(seed).then(
      (outcome) => ({ seed, outcome, failure: "" }),
      (thrown: unknown) => ({ seed, outcome: null, failure: reasonOf(thrown) }),
    );
    self.postMessage(played);
  }
};
