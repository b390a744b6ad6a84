/** Guarantee 1 on the embedded log: killed at random moments under load, every group of every record has its one end. */
import { expect, test } from "bun:test";
import { delay, systemClock } from "../../runtime/clock.ts";
import { randomInt, seededRandom } from "../../runtime/random.ts";
import { readEnds } from "../../tools/drill/ends.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startVedette, type Vedette } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

const cameraCount = 12;
/** What they deliver in a second when nothing holds them up. */
const framesMax = 6 * cameraCount;
const kills = Number(Bun.env.KILLS ?? 20);
const cameras = Array.from(
  { length: cameraCount },
  (_, index) => `  - { id: ${index + 1}, name: c${index + 1}, url: "sim://junction?seed=${index + 1}&fps=6" }`,
).join("\n");
const config = `cameras:\n${cameras}\ntasks: { cooldownMs: 500, changeLeast: 0, pictureBits: -1 }\n`;
const quiet = `cameras: []\n`;

/** How many its cameras have delivered. */
const framesOf = async (it: Vedette): Promise<number> =>
  [...(await (await it.get("/metrics")).text()).matchAll(/^camera_frames_total\{.*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );

test(
  `${kills} kills under load lose nothing and show nothing twice`,
  async () => {
    const seed = Number(Bun.env.SEED ?? 1);
    const random = seededRandom(seed);
    await using directory = await tempDir();
    for (let count = 0; count < kills; count++) {
      await using it = await startVedette({ config, dataDir: directory.path });
      // The moment is random, and told by what was done as well as by the clock, since machines differ in what they do in a second:
      // it may fall into the start, the first frames, or the thick of it.
      const frames = randomInt(random, framesMax);
      await within(60_000, `${frames} frames`, async () => (await framesOf(it)) >= frames);
      await delay(systemClock, randomInt(random, 1_000));
      it.kill("SIGKILL");
      await it.exited;
    }

    // The same data without cameras, since those follow their file: what was begun is finished.
    {
      await using it = await startVedette({ config: quiet, dataDir: directory.path });
      await within(60_000, "all records to be settled", async () => {
        const text = await (await it.get("/metrics")).text();
        const lags = [...text.matchAll(/^kafka_consumer_lag\{.*\} (\d+)$/gm)].map(([, lag]) => Number(lag));
        return lags.length > 0 && lags.every((lag) => lag === 0);
      });
      it.kill("SIGTERM");
      expect(await it.exited).toBe(0);
    }

    const { wrong, groups, shown } = await readEnds(directory.path);
    expect(wrong).toEqual([]);
    expect(groups).toBeGreaterThan(kills * 5);
    expect(shown).toBeGreaterThan(kills);
  },
  kills * 20_000 + 120_000,
);
