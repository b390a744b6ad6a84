/** The stages that one stage told something and found above high water. While one of them is, the sender takes no turn (rule 6). */

/** What a sender must know of a target. */
export type Target = {
  readonly isAboveHighWater: () => boolean;
  /** Calls `wake` once, below low water. */
  readonly whenBelow: (wake: () => void) => void;
};

export class FullTargets {
  readonly #targets = new Set<Target>();
  #isWaiting = false;

  add(target: Target): void {
    this.#targets.add(target);
  }

  /** Whether the sender must wait; `wake` is called when it may look again. */
  holdBack(wake: () => void): boolean {
    if (this.#isWaiting) return true;
    for (const target of this.#targets) {
      if (!target.isAboveHighWater()) {
        this.#targets.delete(target); // seen again when the next tell finds it full
        continue;
      }
      this.#isWaiting = true;
      target.whenBelow(() => {
        this.#isWaiting = false;
        wake();
      });
      return true;
    }
    return false;
  }
}
