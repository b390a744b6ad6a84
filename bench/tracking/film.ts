/** The simulated junction with its truth, and what a detector that errs says of it: boxes that tremble, objects missed or seen where none is. */
import { createScene } from "../../actors/camera/junction/scene.ts";
import { sightings } from "../../actors/camera/junction/truth.ts";
import type { Detection } from "../../protocols/frame.ts";
import type { Box } from "../../protocols/ids.ts";
import { type Random, randomInt, seededRandom } from "../../runtime/random.ts";
import type { Present } from "./quality.ts";

export type FilmFrame = {
  readonly mediaTimeMs: number;
  readonly present: readonly Present[];
  readonly detections: readonly Detection[];
};

const missedLeast = 0.04;
/** Of those that hardly show. */
const missedMore = 0.35;
const trembleShare = 0.03;
const misreadShare = 0.03;
const falsePerFrame = 0.3;
const misread: Readonly<Record<string, string>> = { car: "truck", truck: "car", bus: "truck" };

/** Of the normal distribution, by the twelve-uniforms approximation. */
const normal = (random: Random): number => {
  let sum = -6;
  for (let draw = 0; draw < 12; draw++) sum += random.next();
  return sum;
};

const trembling = (random: Random, [x1, y1, x2, y2]: Box): Box => {
  const [dx, dy] = [trembleShare * (x2 - x1), trembleShare * (y2 - y1)];
  return [x1 + dx * normal(random), y1 + dy * normal(random), x2 + dx * normal(random), y2 + dy * normal(random)];
};

const nothing = (random: Random, width: number, height: number): Detection => {
  const [x, y, size] = [random.next() * width, random.next() * height, 15 + random.next() * 60];
  const className = ["car", "person"][randomInt(random, 2)] ?? "car";
  return { class: className, confidence: 0.2 + random.next() * 0.4, bbox: [x, y, x + size, y + size] };
};

/** The junction of a seed at `fps`, from its 20th second on, when traffic has come. */
export const filmJunction = (seed: number, seconds: number, fps: number): readonly FilmFrame[] => {
  const scene = createScene({ seed });
  const random = seededRandom(seed + 1_000);
  return Array.from({ length: Math.max(1, Math.round(seconds * fps)) }, (_, frame) => {
    const mediaTimeMs = 20_000 + (frame * 1_000) / fps;
    scene.advanceTo(mediaTimeMs);
    const seen = sightings(scene.view, scene.objects());
    const detections = seen.flatMap(({ visible, class: className, confidence, bbox }): Detection[] => {
      if (random.next() < missedLeast + missedMore * (1 - visible)) return [];
      const named = random.next() < misreadShare ? (misread[className] ?? className) : className;
      const sure = Math.min(1, Math.max(0.05, confidence - 0.1 + 0.1 * normal(random)));
      return [{ class: named, confidence: sure, bbox: [...trembling(random, bbox)] }];
    });
    if (random.next() < falsePerFrame) detections.push(nothing(random, scene.view.width, scene.view.height));
    return { mediaTimeMs, present: seen.map(({ id, bbox }) => ({ id, bbox })), detections };
  });
};
