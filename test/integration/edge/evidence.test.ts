import { expect, test } from "bun:test";
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { createEvidence, type EvidenceOptions } from "../../../edge/evidence.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { createMemoryStore } from "../../../runtime/store-memory.ts";
import { tempDir } from "../../support/temp-dir.ts";

const picture = (fill: number, bytes = 1_000): Uint8Array => new Uint8Array(bytes).fill(fill);
const evidenceIn = (directory: string, options: Partial<EvidenceOptions> = {}) =>
  createEvidence({ directory, maxBytes: 10_000, random: seededRandom(1), shared: null, ...options });

test("a picture is kept under its camera and content, once", async () => {
  await using directory = await tempDir();
  const { keep, read } = evidenceIn(directory.path);
  const ids = await Promise.all([keep(7, picture(1)), keep(7, picture(1)), keep(8, picture(1))]);
  expect(ids[0]).toBe(ids[1] ?? "");
  expect(ids[2]?.slice(2)).toBe(ids[0]?.slice(2) ?? "");
  for (const id of ids) expect(await read(id)).toEqual(Buffer.from(picture(1)));
  expect(await read(`7-${"00".repeat(32)}`)).toBeNull();
  expect((await readdir(join(directory.path, "7"))).length).toBe(1);
});

test("another that begins on the same files finds them", async () => {
  await using directory = await tempDir();
  const id = await evidenceIn(directory.path).keep(7, picture(1));
  expect(await evidenceIn(directory.path).read(id)).toEqual(Buffer.from(picture(1)));
});

test.each(["../../etc/passwd", "7-../../x", "", "7-"])("no path comes of %j", async (id) => {
  await using directory = await tempDir();
  expect(await evidenceIn(directory.path).read(id)).toBeNull();
});

test("the oldest make room", async () => {
  await using directory = await tempDir();
  const { keep, read } = evidenceIn(directory.path);
  const ids: string[] = [];
  for (let fill = 0; fill < 11; fill++) {
    const id = await keep(1, picture(fill));
    ids.push(id);
    const at = new Date(1_700_000_000_000 + fill * 1_000);
    await utimes(join(directory.path, "1", `${id.slice(2)}.jpg`), at, at).catch(() => {}); // may be gone already
  }
  const left = await Promise.all(ids.map(async (id) => (await read(id)) !== null));
  expect(left.filter(Boolean).length).toBeLessThanOrEqual(10);
  expect(left.slice(0, 1)).toEqual([false]);
  expect(left.slice(-5)).toEqual([true, true, true, true, true]);
});

test("where the store is shared, another machine's edge reads it there", async () => {
  await using directory = await tempDir();
  await using other = await tempDir();
  const shared = createMemoryStore({ clock: systemClock });
  const id = await evidenceIn(directory.path, { shared }).keep(7, picture(3));
  expect(await evidenceIn(other.path, { shared }).read(id)).toEqual(picture(3));
});
