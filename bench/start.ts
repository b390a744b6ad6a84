/**
 * How long a person waits. Goal: from the start of the process to the first detection on a client within 3 s, with clip and model
 * fetched before. Not asked: the first start of all, which fetches them.
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { connectLive } from "../edge/client.ts";
import { systemClock } from "../runtime/clock.ts";
import { systemRandom } from "../runtime/random.ts";
import type { Bench } from "./bench.ts";
import { emptyFolder } from "./folder.ts";
import type { Contestant, Outcome } from "./harness.ts";
import { clipPath, modelPath } from "./media.ts";

const program = join(import.meta.dirname, "../edge/main.ts");
const limitMs = 60_000;

/** The address out of the program's log, which is read on to its end: a full pipe would stop the program. */
const listening = (out: ReadableStream<Uint8Array>): Promise<string> =>
  new Promise((resolve, reject) => {
    const read = async () => {
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of out) {
        if (text.length < 100_000) text += decoder.decode(chunk, { stream: true });
        const [, url] = /"url":"(http[^"]+)"/.exec(text) ?? [];
        if (url !== undefined) resolve(url);
      }
      reject(new Error(`the program ended before it listened: ${text.slice(-500)}`));
    };
    read().catch(reject);
  });

/** Resolves with the milliseconds since `startedMs` at the first detection that a client hears. */
const firstDetection = (url: string, startedMs: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const cancel = systemClock.after(limitMs, () => reject(new Error(`no detection came within ${limitMs} ms`)));
    const client = connectLive({
      url: `${url.replace("http", "ws")}/ws`,
      clock: systemClock,
      random: systemRandom,
      message({ type }) {
        if (type !== "detection_result") return;
        cancel();
        client.close();
        resolve(systemClock.monotonicMs() - startedMs);
      },
    });
  });

/** Starts the program on an empty data folder with this configuration, and ends it again. */
const startOnce = async (configuration: string): Promise<Outcome> => {
  const folder = emptyFolder();
  const config = join(folder.path, "bench.yaml");
  writeFileSync(config, configuration);
  const settings = [`data.dir=${join(folder.path, "data")}`, "server.port=0"].flatMap((setting) => ["--set", setting]);
  const startedMs = systemClock.monotonicMs();
  const child = Bun.spawn([process.execPath, program, "--config", config, ...settings], {
    cwd: join(import.meta.dirname, ".."),
    stdout: "pipe",
    stderr: "ignore",
  });
  const end = async () => {
    child.kill("SIGTERM");
    await child.exited;
    folder.remove();
  };
  const tookMs = await firstDetection(await listening(child.stdout), startedMs).catch(async (thrown) => {
    await end();
    throw thrown;
  });
  await end();
  const cpuMs = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1_000;
  return { values: [tookMs], hash: 1, beside: { "CPU ms, the end included": Math.round(cpuMs) } };
};

const starting = (name: string, configuration: () => string): Contestant => ({
  name,
  run: () => startOnce(configuration()),
});

const withClip = (): string => `
cameras:
  mediaDirs: [${JSON.stringify(dirname(clipPath()))}]
  list:
    - { id: 1, name: plaza, url: ${JSON.stringify(`file:${clipPath()}`)}, fps: 2, loop: true }
detector: { model: ${JSON.stringify(modelPath())} }
`;
const simulated = (): string => `
cameras:
  - { id: 2, name: junction, url: "sim://junction?seed=7" }
`;

const target = { of: "median", limit: 3_000 } as const;
const contest = { unit: "ms", size: 1, rounds: 10, warmUps: 1, target } as const;

export const start = (): Bench => ({
  name: "start",
  notes: ["Each sample is a process of its own on an empty data folder, and a WebSocket client that connects when it listens."],
  contests: [
    { name: "start to first detection of a clip", open: () => ({ ...contest, subject: starting("vedette", withClip) }) },
    {
      name: "start to first detection of a simulated camera",
      open: () => ({ ...contest, subject: starting("vedette", simulated) }),
    },
  ],
});
