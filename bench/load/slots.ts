/**
 * How late frames are against the slots that they were due in. What holds a process up makes it note a frame's capture late,
 * too, and such a wait must not be forgiven (Tene's "coordinated omission"). A camera's captures lie on a grid whose step is
 * known and whose phase is not: of the grids that begin with a capture, the one on which all together are least late. A wait of
 * a whole step or more is seen in the rate only.
 */

/** Milliseconds by which each capture is behind its slot. */
export const lateness = (capturedAt: readonly number[], stepMs: number): number[] => {
  const phases = capturedAt.map((at) => at % stepMs).toSorted((one, other) => one - other);
  let base = 0;
  let least = Number.POSITIVE_INFINITY;
  phases.forEach((phase, index) => {
    // The sum of all, less what is the same for every phase: those before it count as a step later.
    const late = stepMs * index - phases.length * phase;
    if (late < least) [least, base] = [late, phase];
  });
  return capturedAt.map((at) => (at - base + 2 * stepMs) % stepMs);
};
