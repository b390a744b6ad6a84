/** `runtime/intensity.ts` against a list of all failures that ever were. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createIntensity } from "../../runtime/intensity.ts";

const tolerances = fc.record({
  restarts: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.constant(Number.POSITIVE_INFINITY)),
  withinMs: fc.integer({ min: 1, max: 1_000 }),
  backoffMs: fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 200, max: 5_000 })),
});
/** A failure some time after the one before it: of records (one or more deliveries), or of none. */
const failures = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.constant(0), fc.nat(20), fc.nat(1_500)),
    causes: fc.oneof(fc.constant([]), fc.array(fc.constantFrom("t/0/1", "t/0/2", "t/1/1"), { minLength: 1, maxLength: 2 })),
    times: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 60 })),
  }),
  { maxLength: 30 },
);

test("it allows, counts down and waits as a list of all failures says", () => {
  fc.assert(
    fc.property(tolerances, failures, (tolerance, sequence) => {
      const intensity = createIntensity(tolerance);
      const [first, cap] = tolerance.backoffMs;
      const all: { readonly atMs: number; readonly what: string }[] = [];
      let atMs = 0;
      for (const { afterMs, causes, times } of sequence) {
        atMs += afterMs;
        for (let time = 0; time < times; time++) {
          all.push({ atMs, what: causes.length === 0 ? `one of a kind, ${all.length}` : causes.join(" ") });
          const recent = all.filter((failure) => atMs - failure.atMs < tolerance.withinMs);
          const distinct = new Set(recent.map(({ what }) => what)).size;
          expect(intensity.allows(atMs, causes)).toBe(distinct <= tolerance.restarts);
          expect(intensity.left(atMs)).toBe(Math.max(0, tolerance.restarts - distinct));
          const longest = Math.min(cap, first * 2 ** (recent.length - 1));
          expect(intensity.backoffMs(atMs, { next: () => 0 })).toBe(longest / 2);
          expect(intensity.backoffMs(atMs, { next: () => 1 })).toBe(longest);
        }
      }
    }),
  );
});
