/**
 * A clip to watch where no camera is at hand. It is not shipped: it is taken from the configured path or the cache, fetched
 * once from its public home, or taken out of Debian's `opencv-doc` package.
 */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Clock } from "../../runtime/clock.ts";
import { defaultDownloadLimits, download, type Fetch, type Progress } from "../../runtime/download.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import type { RunProcess } from "../../runtime/run-process.ts";
import { takeFromPackage } from "./clip-package.ts";

export type ClipPlace = { readonly name: string; readonly url: string };

/** Pedestrians and cars from OpenCV's sample data; then cars from above, Intel's sample-videos (CC BY 4.0). */
export const clipPlaces: readonly ClipPlace[] = [
  { name: "vtest.avi", url: "https://raw.githubusercontent.com/opencv/opencv/4.x/samples/data/vtest.avi" },
  {
    name: "car-detection.mp4",
    url: "https://raw.githubusercontent.com/intel-iot-devkit/sample-videos/master/car-detection.mp4",
  },
];

export type ClipSettings = {
  /** A clip of one's own; nothing else is tried when it is given. */
  readonly path?: string;
  /** Default `.cache/media`. */
  readonly cacheDir?: string;
  readonly places?: readonly ClipPlace[];
};

export type ClipPorts = {
  readonly clock: Clock;
  readonly fetch: Fetch;
  readonly run: RunProcess;
  readonly progress?: Progress;
};

export type ClipResult = { readonly path: string } | { readonly missing: string };

const bytesMin = 100_000;
const bytesMax = 64 * 1024 * 1024;

/** True for a file that begins as an AVI or MP4 does and is long enough to be a clip. */
export const isClip = async (path: string): Promise<boolean> => {
  const file = await open(path).catch(() => null);
  if (!file) return false;
  try {
    const { size } = await file.stat();
    const head = new Uint8Array(12);
    await file.read(head, 0, 12, 0);
    const text = Buffer.from(head).toString("latin1");
    return size >= bytesMin && ((text.startsWith("RIFF") && text.endsWith("AVI ")) || text.slice(4, 8) === "ftyp");
  } finally {
    await file.close();
  }
};

/** Lets `make` write a file beside the final place, looks at it, and moves it there whole. */
const install = async (path: string, make: (partial: string) => Promise<void>): Promise<void> => {
  const partial = `${path}.${process.pid}.part`;
  try {
    await make(partial);
    if (!(await isClip(partial))) throw new Error("what came is not a clip");
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
};

/** Finds the clip, fetching it when need be. Never rejects: without a clip it says why in one line. */
export const findClip = async (settings: ClipSettings, ports: ClipPorts): Promise<ClipResult> => {
  if (settings.path !== undefined) {
    const path = resolve(settings.path);
    return (await isClip(path)) ? { path } : { missing: `${path} is not a clip (AVI or MP4)` };
  }
  const cacheDir = resolve(settings.cacheDir ?? join(".cache", "media"));
  const places = settings.places ?? clipPlaces;
  for (const { name } of places) {
    const path = join(cacheDir, name);
    if (await isClip(path)) return { path };
  }
  const reasons: string[] = [];
  try {
    await mkdir(cacheDir, { recursive: true });
    for (const { name, url } of places) {
      const path = join(cacheDir, name);
      try {
        await install(path, (partial) => download(url, partial, ports, ports.progress, { ...defaultDownloadLimits, bytesMax }));
        return { path };
      } catch (thrown) {
        reasons.push(`${new URL(url).host}: ${reasonOf(thrown instanceof Fault ? thrown.cause : thrown)}`);
      }
    }
    const path = join(cacheDir, "vtest.avi");
    await install(path, (partial) => takeFromPackage(partial, ports.run));
    return { path };
  } catch (thrown) {
    return { missing: [...reasons, `package opencv-doc: ${reasonOf(thrown)}`].join("; ").replace(/\s+/g, " ") };
  }
};
