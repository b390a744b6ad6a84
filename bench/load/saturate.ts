/** The knee: the most cameras at which what is expected holds, by doubling from the first count, then by halving the interval. */

import { reasonOf } from "../../runtime/errors.ts";
import { parseExpectation } from "./expect.ts";
import { type LoadOutcome, runLoad } from "./once.ts";
import type { LoadOptions } from "./options.ts";
import type { Step } from "./report.ts";

/** When nothing else is expected: frames keep their rate and are seen in time. */
const usual = (fps: number) =>
  [`detection.e2e.p95<500`, `fps.achieved>=${(0.95 * fps).toFixed(3)}`, "frames.late<1"].map(parseExpectation);

/** The interval is small enough. */
const precision = 1.08;
const camerasMax = 10_000;
const shown = ["detection.e2e", "verdict.e2e", "fps.achieved", "frames.late", "cpu.vedette", "rss.max"];

/** The next count to try between the most that held and the least that did not; null when they are close. */
export const nextCount = (held: number, failed: number | null, first: number): number | null => {
  if (failed === null) return held === 0 ? first : Math.min(camerasMax, held * 2) > held ? Math.min(camerasMax, held * 2) : null;
  if (held === 0) return failed > 1 ? Math.floor(failed / 2) : null;
  const middle = Math.round(Math.sqrt(held * failed));
  return failed / held <= precision || middle <= held || middle >= failed ? null : middle;
};

const stepOf = (cameras: number, { report, met }: LoadOutcome): Step => {
  const figures = report.results.flatMap(({ name, p95, beside, median }) =>
    shown.includes(name) || name.startsWith("cpu.")
      ? [[name, name.endsWith(".e2e") ? (p95 ?? median) : (beside?.mean ?? median)] as const]
      : [],
  );
  return { cameras, held: met, figures: Object.fromEntries(figures) };
};

export const saturate = async (options: LoadOptions, command: string, print: (text: string) => void): Promise<LoadOutcome> => {
  const expect = options.expect.length > 0 ? options.expect : usual(options.fps);
  const steps: Step[] = [];
  let best: LoadOutcome | null = null;
  let [held, failed]: [number, number | null] = [0, null];
  let worst: LoadOutcome | null = null;
  for (
    let cameras = nextCount(held, failed, options.cameras);
    cameras !== null;
    cameras = nextCount(held, failed, options.cameras)
  ) {
    print(`step ${steps.length + 1}: ${cameras} cameras\n`);
    const outcome = await runLoad({ ...options, cameras, expect }, command, print).catch((thrown) => {
      // Too many cameras may be more than the start can bear, which is an answer as well.
      print(`${reasonOf(thrown)}\n`);
      return null;
    });
    if (outcome?.met) [held, best] = [cameras, outcome];
    else [failed, worst] = [cameras, outcome ?? worst];
    const step = outcome ? stepOf(cameras, outcome) : { cameras, held: false, figures: {} };
    steps.push(step);
    print(
      `${cameras} cameras: ${step.held ? "held" : "not held"}; ${Object.entries(step.figures)
        .map(([name, value]) => `${name} ${value}`)
        .join(", ")}\n`,
    );
  }
  const outcome = best ?? worst;
  if (!outcome) throw new Error("no step came to its end");
  print(`saturation: ${held} cameras hold, ${failed ?? "none"} do not\n`);
  const knee = { name: "saturation", unit: "cameras", samples: 1, median: held, min: held, max: failed ?? held } as const;
  return { report: { ...outcome.report, cameras: held, results: [knee, ...outcome.report.results], steps }, met: held > 0 };
};
