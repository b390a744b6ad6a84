/**
 * The kill drill: every actor of the whole system is killed in turn, under the load of fifty simulated cameras. What is claimed is
 * counted, not timed; `bun run drill` measures what it costs the others in time.
 */
import { expect, test } from "bun:test";
import { readEnds } from "../../tools/drill/ends.ts";
import { cameraPath, clustererPath, createKills, rootStages, trackerPath } from "../../tools/drill/kills.ts";
import { startPlant } from "../../tools/drill/plant.ts";
import { tempDir } from "../support/temp-dir.ts";
import { within } from "../support/wait.ts";

const fiftyCameras = 50;
/** Kills of one round hit three actors of each of ten cameras' worth of eyes and lanes; the other cameras must go on. */
const perRound = 5;

test("each actor killed in turn comes back, the others go on, and every group has its one end", async () => {
  await using directory = await tempDir();
  const plant = await startPlant({ dataDir: directory.path, cameras: fiftyCameras, fps: 2, seed: 1 });
  const { cameraIds } = plant;
  await within(20_000, "every camera to be seen", () => cameraIds.every((id) => (plant.heard.get(id) ?? 0) > 0));
  const kills = createKills(plant);

  for (const path of rootStages) await kills.kill([path]);
  for (let first = 0; first < fiftyCameras; first += perRound) {
    const ids = (shift: number) => Array.from({ length: perRound }, (_, index) => ((first + shift + index) % fiftyCameras) + 1);
    await kills.kill([...ids(0).map(cameraPath), ...ids(17).map(trackerPath), ...ids(34).map(clustererPath)]);
  }
  await kills.exhaustLane(3);
  expect(kills.wrong()).toEqual([]);
  expect(kills.count()).toBe(rootStages.length + 3 * fiftyCameras + 6);
  expect(new Set(plant.stages())).toEqual(
    new Set([...rootStages, ...cameraIds.flatMap((id) => [cameraPath(id), trackerPath(id), clustererPath(id)])]),
  );

  await plant.quiesce(20_000);
  const frames = (await plant.metric("camera_frames_total")) ?? 0;
  const letGo = (await plant.metric("dropped_total", /type="frame\.(captured|detected|tracked)"/)) ?? 0;
  const late = await plant.metric("dropped_total", /reason="out_of_order"/);
  const deadLetters = await plant.metric("dlq_total");
  await plant.stop();
  expect(plant.fatal()).toBeNull();

  const ends = await readEnds(`${directory.path}/data`);
  expect(ends.wrong).toEqual([]);
  expect(deadLetters).toBeNull();
  // A restarted camera counts from 0; its frames are news all the same.
  expect(late).toBeNull();
  // Conservation: each frame that a camera numbered became one record, or was let go and counted.
  expect([...ends.records.values()].reduce((sum, count) => sum + count, 0)).toBe(frames - letGo);
  expect(ends.records.size).toBe(fiftyCameras);
  // The viewer was connected all the time: it heard each verdict, once.
  expect(plant.updateIds.toSorted()).toEqual([...ends.updateIds].toSorted());
  expect(ends.shown).toBeGreaterThan(fiftyCameras);
}, 120_000);

test("a stage that fails too often ends the process, and the next one finishes what was begun", async () => {
  await using directory = await tempDir();
  const options = { dataDir: directory.path, cameras: 10, fps: 4, seed: 2 };
  const first = await startPlant(options);
  await within(20_000, "every camera to be seen", () => first.cameraIds.every((id) => (first.heard.get(id) ?? 0) > 0));
  const kills = createKills(first);
  for (let kill = 0; kill < 5; kill++) await kills.kill(["vedette/task-generator"]);
  expect(kills.wrong()).toEqual([]);
  expect(first.fatal()).toBeNull();
  first.kill("vedette/task-generator");
  await within(20_000, "the process to give up", () => first.fatal() !== null);
  expect(first.fatal()).toContain("drill");
  await first.stop();

  const before = await readEnds(`${directory.path}/data`);
  const next = await startPlant({ ...options, cameras: 0 });
  await next.quiesce(30_000);
  await next.stop();
  const ends = await readEnds(`${directory.path}/data`);
  expect(ends.wrong).toEqual([]);
  expect(ends.groups).toBe(before.groups);
  expect(ends.shown).toBeGreaterThan(10);
}, 120_000);
