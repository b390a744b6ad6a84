import { expect, test } from "bun:test";
import { findClip, isClip } from "../../../../actors/camera/clip.ts";
import { systemClock } from "../../../../runtime/clock.ts";
import { runProcess } from "../../../../runtime/run-process.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const hasApt = Bun.which("apt-get") !== null && Bun.which("apt-cache") !== null;
const isListed = hasApt && Bun.spawnSync(["apt-cache", "show", "opencv-doc"], { stdout: "ignore", stderr: "ignore" }).success;

test.skipIf(!isListed)(
  "the default clip comes out of Debian's opencv-doc (needs apt-get and its package list)",
  async () => {
    await using directory = await tempDir();
    const fetch = () => Promise.reject(new Error("not asked for"));
    const result = await findClip({ cacheDir: directory.path, places: [] }, { clock: systemClock, fetch, run: runProcess });
    // A mirror that is away is no fault of this program; then the reason must say so.
    if ("missing" in result) expect(result.missing).toMatch(/^package opencv-doc: apt-get ended with 100: /);
    else expect(await isClip(result.path)).toBe(true);
  },
  70_000,
);
