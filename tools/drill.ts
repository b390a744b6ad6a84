/**
 * `bun run drill`: kills the actors of a whole system under load, for longer than the test of the same name, and measures what
 * that costs the cameras that were not hit: blocks without kills and with kills take turns. Figures are printed and judge nothing.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { delay, systemClock } from "../runtime/clock.ts";
import { readEnds } from "./drill/ends.ts";
import { compareBlocks, quantile } from "./drill/figures.ts";
import { cameraOf, cameraPath, clustererPath, createKills, type Kills, rootStages, trackerPath } from "./drill/kills.ts";
import { type Plant, startPlant } from "./drill/plant.ts";
import { waitFor } from "./drill/wait.ts";
import { readWords } from "./words.ts";

const usage = `bun run drill [--cameras 50] [--fps 2] [--rounds 5] [--block 6] [--seed 1]
`;
const { values } = readWords("drill", {
  options: {
    cameras: { type: "string", default: "50" },
    fps: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    block: { type: "string", default: "6" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", short: "h" },
  },
});
const say = (text: string) => void process.stdout.write(`${text}\n`);
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
/** The root allows five restarts a minute. */
const rootPauseMs = 13_000;

/** Ages of the results of cameras that no kill of this block has hit. */
const block = async (
  plant: Plant,
  blockMs: number,
  work: (hit: (path: string) => void, isOver: () => boolean) => Promise<void>,
) => {
  const ages = new Map<number, number[]>(plant.cameraIds.map((id) => [id, []]));
  plant.listen = (cameraId, ageMs) => void ages.get(cameraId)?.push(ageMs);
  const endMs = systemClock.monotonicMs() + blockMs;
  const isOver = () => systemClock.monotonicMs() >= endMs;
  const hit = (path: string) => {
    const id = cameraOf(path);
    if (id !== null) ages.delete(id);
  };
  await work(hit, isOver);
  await delay(systemClock, Math.max(0, endMs - systemClock.monotonicMs()));
  plant.listen = null;
  return [...ages.values()].flat();
};

/** Every actor of eyes and lanes in turn, three cameras a step, and now and then one of the durable stages. */
const createSequence = ({ cameraIds }: Plant, kills: Kills) => {
  const id = (at: number): number => cameraIds[at % cameraIds.length] ?? 1;
  const durable = rootStages.filter((path) => !/detector|live/.test(path));
  let step = 0;
  let rootDueMs = 0;
  return async (hit: (path: string) => void): Promise<void> => {
    const paths = [cameraPath(id(step)), trackerPath(id(step + 17)), clustererPath(id(step + 34))];
    const stage = durable[step % durable.length];
    if (stage && systemClock.monotonicMs() >= rootDueMs) {
      paths.push(stage);
      rootDueMs = systemClock.monotonicMs() + rootPauseMs;
    }
    step++;
    for (const path of paths) hit(path);
    await kills.kill(paths);
  };
};

const run = async (dataDir: string): Promise<void> => {
  const [cameras, rounds, seed] = [Number(values.cameras), Number(values.rounds), Number(values.seed)];
  const blockMs = Number(values.block) * 1_000;
  const plant = await startPlant({ dataDir, cameras, fps: Number(values.fps), seed });
  await waitFor(30_000, "every camera to be seen", () => plant.cameraIds.every((id) => (plant.heard.get(id) ?? 0) > 2));
  const kills = createKills(plant);
  const next = createSequence(plant, kills);
  const p95: Record<"first" | "second" | "treated", number[]> = { first: [], second: [], treated: [] };
  for (let round = 0; round < rounds; round++) {
    const quiet = async () => {};
    p95.first.push(quantile(await block(plant, blockMs, quiet), 0.95));
    p95.second.push(quantile(await block(plant, blockMs, quiet), 0.95));
    const killing = async (hit: (path: string) => void, isOver: () => boolean) => {
      while (!isOver()) await next(hit);
    };
    p95.treated.push(quantile(await block(plant, blockMs, killing), 0.95));
  }
  const { first, second, treated, spread, moved, allowed, isWithin } = compareBlocks(p95.first, p95.second, p95.treated);
  say(`${cameras} cameras at ${values.fps} fps, ${rounds} rounds of ${values.block} s, ${kills.count()} kills`);
  say(
    `capture to viewer, P95 of the cameras not hit: A ${first.toFixed(1)} ms, A ${second.toFixed(1)} ms, with kills ${treated.toFixed(1)} ms`,
  );
  say(
    `moved by ${percent(moved)}; allowed ${percent(allowed)} (two A differ by ${percent(spread)}): ${isWithin ? "within" : "beyond"}`,
  );

  // What every camera passes through: all feel it, for as long as its restart takes.
  for (const path of ["vedette/detector", "vedette/live"]) {
    await delay(systemClock, rootPauseMs);
    const startedMs = systemClock.monotonicMs();
    await kills.kill([path]);
    say(`${path}: every camera was heard of again after ${(systemClock.monotonicMs() - startedMs).toFixed(0)} ms`);
  }

  const wrong = kills.wrong();
  await plant.quiesce(30_000);
  const frames = (await plant.metric("camera_frames_total")) ?? 0;
  const letGo = (await plant.metric("dropped_total", /type="frame\.(captured|detected|tracked)"/)) ?? 0;
  await plant.stop();
  const ends = await readEnds(join(dataDir, "data"));
  const records = [...ends.records.values()].reduce((sum, count) => sum + count, 0);
  say(`${frames} frames, ${records} detection results, ${letGo} frames let go and counted`);
  say(`${ends.groups} groups: ${ends.shown} shown, ${ends.groups - ends.shown} refused or overdue with a reason`);
  if (frames !== records + letGo) wrong.push(`${frames - records - letGo} frames are not accounted for`);
  if (plant.updateIds.length !== ends.updateIds.size)
    wrong.push(`the viewer heard ${plant.updateIds.length} verdicts of ${ends.updateIds.size}`);
  for (const each of [...wrong, ...ends.wrong]) say(`wrong: ${each}`);
  if (wrong.length + ends.wrong.length > 0) process.exitCode = 1;
};

if (values.help) say(usage);
else {
  const dataDir = await mkdtemp(join(tmpdir(), "vedette-drill-"));
  try {
    await run(dataDir);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
  process.exit();
}
