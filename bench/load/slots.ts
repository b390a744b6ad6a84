/**
 * How late frames are against the slots that they were due in. What holds a process up makes it note a frame's capture late,
 * too, and such a wait must not be forgiven (Tene's "coordinated omission"). A camera's captures lie on a grid whose step is
 * known and whose phase is not: of the grids on which no capture is early, the one that makes them least late.
 */

/** Milliseconds by which each capture is behind its slot. */
export const lateness = (capturedAt: readonly number[], stepMs: number): number[] => {
  const phases = capturedAt.map((at) => at % stepMs).toSorted((one, other) => one - other);
  const first = phases[0] ?? 0;
  // The grid begins where the longest stretch without captures ends.
  let base = first;
  let widest = first + stepMs - (phases.at(-1) ?? 0);
  for (let index = 1; index < phases.length; index++) {
    const gap = (phases[index] ?? 0) - (phases[index - 1] ?? 0);
    if (gap > widest) [widest, base] = [gap, phases[index] ?? 0];
  }
  return capturedAt.map((at) => (at - base + 2 * stepMs) % stepMs);
};
