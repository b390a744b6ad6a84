import { beforeEach, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { recognise } from "../../../../actors/detector/family.ts";
import { fetchNpmWeights, type NpmWeights } from "../../../../actors/detector/npm-weights.ts";
import { decodeOnnx } from "../../../../actors/detector/onnx.proto.ts";
import type { RunProcess } from "../../../../runtime/run-process.ts";
import { tinyCenternet } from "../../../support/tiny-tfjs.ts";

/** Where the package client was told to work. */
let folders: string[] = [];
beforeEach(() => {
  folders = [];
});

/** As given, with the folder written down. */
const watched =
  (run: RunProcess): RunProcess =>
  (command, options) => {
    folders.push(options.cwd);
    return run(command, options);
  };

const sha256 = (bytes: string | Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
const files = tinyCenternet();
const source: NpmWeights = {
  name: "tiny",
  packageName: "@somebody/weights",
  version: "1.2.3",
  json: { path: "models/tiny.json", sha256: sha256(files.json) },
  weights: { path: "models/tiny.bin", sha256: sha256(files.weights) },
  outputs: ["wh", "keypoints"],
};

/** A package client that unpacks these files. */
const delivers =
  (json: string, seen: (readonly string[])[] = []): RunProcess =>
  async (command, { cwd }) => {
    seen.push(command);
    expect(JSON.parse(await readFile(join(cwd, "package.json"), "utf8"))).toMatchObject({ private: true });
    const folder = join(cwd, "node_modules/@somebody/weights/models");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "tiny.json"), json);
    await writeFile(join(folder, "tiny.bin"), files.weights);
    return { exitCode: 0, errors: "" };
  };

test("the package is asked for by exact version, without its scripts, and becomes a model", async () => {
  const seen: (readonly string[])[] = [];
  const bytes = await fetchNpmWeights({ runProcess: watched(delivers(files.json, seen)) }, source);
  expect(recognise(decodeOnnx(bytes, "it"), "it").family).toBe("centernet");
  expect(seen).toHaveLength(1);
  expect(seen[0]?.[1]).toBe("add");
  expect(seen[0]).toContain("--ignore-scripts");
  expect(seen[0]?.at(-1)).toBe("@somebody/weights@1.2.3");
  expect(folders.map((folder) => existsSync(folder))).toEqual([false]);
});

test.each<[string, RunProcess, RegExp]>([
  ["other weights of the same version", delivers(`${files.json} `), /holds another models\/tiny\.json: its sha256 is/],
  [
    "a client that fails",
    async () => ({ exitCode: 1, errors: "bun add v1.4.5\nerror: GET failed\nsee the log" }),
    /@somebody\/weights@1\.2\.3 was not fetched: error: GET failed/,
  ],
  ["a client at its time limit", async () => ({ exitCode: -1, errors: "" }), /was not fetched: exit code -1/],
  ["a package without the files", async () => ({ exitCode: 0, errors: "" }), /no such file/i],
])("%s: refused, and nothing is left behind", async (_name, runProcess, expected) => {
  await expect(fetchNpmWeights({ runProcess: watched(runProcess) }, source)).rejects.toThrow(expected);
  expect(folders.map((folder) => existsSync(folder))).toEqual([false]);
});
