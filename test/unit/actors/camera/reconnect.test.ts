import { expect, test } from "bun:test";
import fc from "fast-check";
import { backoffDefaults, createBackoff } from "../../../../actors/camera/reconnect.ts";
import { seededRandom } from "../../../../runtime/random.ts";

const latest = { next: () => 0.999_999_9 };

test("the longest wait doubles from 0.5 s to 30 s and stays there", () => {
  const { afterMs } = createBackoff(latest);
  const waits = Array.from({ length: 9 }, () => Math.round(afterMs(0)));
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test("a session of 30 s with frames starts the waits anew, a shorter one does not", () => {
  const { afterMs, failures } = createBackoff(latest);
  for (let failure = 0; failure < 5; failure++) afterMs(0);
  expect(Math.round(afterMs(29_999))).toBe(16_000);
  expect(Math.round(afterMs(30_000))).toBe(500);
  expect(failures()).toBe(1);
});

test("every wait lies between nothing and the cap, after any number of failures", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 3000 }), (seed, failures) => {
      const { afterMs } = createBackoff(seededRandom(seed));
      for (let failure = 0; failure < failures; failure++) {
        const waitMs = afterMs(0);
        if (!(waitMs >= 0 && waitMs <= backoffDefaults.capMs)) return false;
      }
      return true;
    }),
    { numRuns: 20 },
  );
});

test("the waits of many sources spread over the whole range", () => {
  const random = seededRandom(3);
  const waits = Array.from({ length: 400 }, () => createBackoff(random).afterMs(0));
  const quarters = [0, 0, 0, 0];
  for (const waitMs of waits) quarters[Math.floor(waitMs / 125)] = (quarters[Math.floor(waitMs / 125)] ?? 0) + 1;
  for (const count of quarters) expect(count).toBeGreaterThan(60);
});
