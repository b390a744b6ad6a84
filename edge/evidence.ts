/**
 * The pictures of incidents: files below the data directory, named by camera and content, so that one that is stored again is
 * there already. Where several nodes share a store, it has them too, for the edges on other machines. The oldest go first.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { EvidenceId, incidentFacts } from "../protocols/incident.ts";
import { type Random, randomInt } from "../runtime/random.ts";
import type { Store } from "../runtime/store.ts";

export type Evidence = {
  /** Resolves to the picture's id when it is durable. */
  readonly keep: (cameraId: number, image: Uint8Array) => Promise<string>;
  /** Null when there is none, or no longer. */
  readonly read: (id: string) => Promise<Uint8Array | null>;
};

export type EvidenceOptions = {
  readonly directory: string;
  readonly maxBytes: number;
  readonly random: Random;
  /** The store that is shared with other nodes; null where there is none. */
  readonly shared: Store | null;
};

/** What is left after the oldest have gone. */
const keptShare = 0.9;
const imageMaxBytes = 262_144;

type Found = { readonly path: string; readonly bytes: number; readonly atMs: number };

const filesBelow = async (directory: string): Promise<Found[]> => {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  const found = await Promise.all(
    names.map(async (name): Promise<Found | null> => {
      const path = join(directory, name);
      const at = await stat(path).catch(() => null); // gone meanwhile
      return at?.isFile() ? { path, bytes: at.size, atMs: at.mtimeMs } : null;
    }),
  );
  return found.filter((each) => each !== null);
};

const factOf = (id: string): string => `evidence:${id}`;

export const createEvidence = ({ directory, maxBytes, random, shared }: EvidenceOptions): Evidence => {
  /** Null until the files were counted. */
  let usedBytes: number | null = null;
  let tidying: Promise<void> | null = null;

  const pathOf = (id: string): { readonly folder: string; readonly file: string } => {
    const [camera = "", hash = ""] = id.split("-");
    const folder = join(directory, camera);
    return { folder, file: join(folder, `${hash}.jpg`) };
  };

  const tidy = async (): Promise<void> => {
    const files = (await filesBelow(directory)).sort((one, other) => one.atMs - other.atMs);
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const target = bytes > maxBytes ? keptShare * maxBytes : maxBytes;
    for (const file of files) {
      if (bytes <= target) break;
      await rm(file.path, { force: true });
      bytes -= file.bytes;
    }
    usedBytes = bytes;
  };
  /** Counts, and removes the oldest where there are too many; one at a time. */
  const keepWithin = (): Promise<void> => {
    if (usedBytes !== null && usedBytes <= maxBytes) return Promise.resolve();
    tidying ??= tidy().finally(() => {
      tidying = null;
    });
    return tidying;
  };

  const write = async (id: string, image: Uint8Array): Promise<void> => {
    const { folder, file } = pathOf(id);
    if (await stat(file).catch(() => null)) return;
    await mkdir(folder, { recursive: true });
    const partial = `${file}.${randomInt(random, 2 ** 31).toString(36)}.part`;
    const handle = await open(partial, "wx", 0o600);
    try {
      await handle.writeFile(image);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
    if (usedBytes !== null) usedBytes += image.byteLength;
    await keepWithin();
  };

  return {
    async keep(cameraId, image) {
      if (image.byteLength > imageMaxBytes) throw new Error(`a picture has ${image.byteLength} bytes`);
      const id = `${cameraId}-${createHash("sha256").update(image).digest("hex")}`;
      await write(id, image);
      await shared?.put([{ key: factOf(id), bytes: image, ttlMs: incidentFacts.ttlMs }]);
      return id;
    },

    async read(id) {
      if (!EvidenceId.safeParse(id).success) return null; // no path comes of what is no id
      const image = await readFile(pathOf(id).file).catch(() => null);
      return image ?? (await shared?.get(factOf(id))) ?? null;
    },
  };
};

/** Of what the data may take altogether, pictures take at most this. */
const pictureShare = 0.1;
const pictureMaxBytes = 2 ** 30;

/** As the configuration has it. */
export const openEvidence = (data: { readonly dir: string; readonly maxBytes: number }, store: Store, random: Random): Evidence =>
  createEvidence({
    directory: join(data.dir, "evidence"),
    maxBytes: Math.min(pictureMaxBytes, pictureShare * data.maxBytes),
    random,
    shared: store.driver === "redis" ? store : null,
  });
