/**
 * `bun run soak`: the real program on looped clips for a long time; says whether memory, descriptors or threads grow, and how
 * late its main loop was. Linux only: it reads /proc. A script and not a test, since it takes half an hour.
 */
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delay, systemClock } from "../runtime/clock.ts";
import { readWords } from "./words.ts";

const usage = `bun run soak --clip FILE --model FILE [--cameras 8] [--minutes 30] [--report FILE]
`;
const { values } = readWords("soak", {
  options: {
    clip: { type: "string" },
    model: { type: "string" },
    cameras: { type: "string", default: "8" },
    minutes: { type: "string", default: "30" },
    report: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});
const say = (text: string) => void process.stdout.write(`${text}\n`);

type Sample = { readonly minute: number; readonly rssMb: number; readonly descriptors: number; readonly threads: number };

const look = async (pid: number, minute: number): Promise<Sample> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return {
    minute,
    rssMb: field("VmRSS") / 1024,
    descriptors: (await readdir(`/proc/${pid}/fd`)).length,
    threads: field("Threads"),
  };
};

/** Least squares: the growth per minute. */
const slope = (samples: readonly Sample[], of: (sample: Sample) => number): number => {
  const mean = (each: (sample: Sample) => number) => samples.reduce((sum, sample) => sum + each(sample), 0) / samples.length;
  const [x, y] = [mean(({ minute }) => minute), mean(of)];
  const over = samples.reduce((sum, sample) => sum + (sample.minute - x) * (of(sample) - y), 0);
  return over / samples.reduce((sum, { minute }) => sum + (minute - x) ** 2, 0);
};

/** An upper bound of a quantile, from the histogram's buckets, in ms. */
const quantileMs = (buckets: readonly (readonly [le: number, count: number])[], share: number): number => {
  const total = buckets.at(-1)?.[1] ?? 0;
  return (buckets.find(([, count]) => count >= share * total)?.[0] ?? Number.NaN) * 1_000;
};

const bucketsOf = (text: string) =>
  [...text.matchAll(/^event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)].map(
    ([, le, count]) => [le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le), Number(count)] as const,
  );

const run = async (clip: string, model: string): Promise<void> => {
  const directory = `${tmpdir()}/vedette-soak-${process.pid}`;
  const cameras = Array.from(
    { length: Number(values.cameras) },
    (_, index) => `    - { id: ${index + 1}, name: c${index + 1}, url: "file:${clip}", fps: 2, loop: true }`,
  );
  const folder = clip.slice(0, clip.lastIndexOf("/"));
  await Bun.write(
    `${directory}/soak.yaml`,
    `cameras:\n  mediaDirs: ["${folder}"]\n  list:\n${cameras.join("\n")}\ndetector: { model: "${model}" }\n`,
  );
  const child = Bun.spawn(
    [
      process.execPath,
      "edge/main.ts",
      "--config",
      `${directory}/soak.yaml`,
      "--set",
      `data.dir=${directory}/data`,
      "--set",
      "server.port=18099",
    ],
    { stdout: Bun.file(`${directory}/log`), stderr: "inherit" },
  );
  const metrics = async () => (await fetch("http://127.0.0.1:18099/metrics")).text();
  const samples: Sample[] = [];
  const minutes = Number(values.minutes);
  const beganMs = systemClock.monotonicMs();
  let before: ReturnType<typeof bucketsOf> = [];
  for (;;) {
    await delay(systemClock, 10_000);
    const minute = (systemClock.monotonicMs() - beganMs) / 60_000;
    const sample = await look(child.pid, minute);
    samples.push(sample);
    if (samples.length === 3) before = bucketsOf(await metrics()); // the start is not what is asked about
    if (samples.length % 6 === 0)
      say(
        `${minute.toFixed(1)} min  RSS ${sample.rssMb.toFixed(0)} MB  descriptors ${sample.descriptors}  threads ${sample.threads}`,
      );
    if (minute >= minutes) break;
  }
  const text = await metrics();
  const buckets = bucketsOf(text).map(([le, count], index) => [le, count - (before[index]?.[1] ?? 0)] as const);
  const later = samples.filter(({ minute }) => minute >= minutes / 3);
  const result = {
    cameras: Number(values.cameras),
    minutes,
    rssMbAtEnd: samples.at(-1)?.rssMb,
    rssSlopeMbPerMinute: slope(later, ({ rssMb }) => rssMb),
    descriptors: { first: later[0]?.descriptors, last: later.at(-1)?.descriptors },
    threads: { first: later[0]?.threads, last: later.at(-1)?.threads },
    loopLateMs: { p50: quantileMs(buckets, 0.5), p99: quantileMs(buckets, 0.99), p999: quantileMs(buckets, 0.999) },
    detections: [...text.matchAll(/^detection_total\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0),
    dropped: [...text.matchAll(/^dropped_total\{(.*)\} (\d+)$/gm)].map(([, labels, count]) => `${labels} ${count}`),
    restarts: [...text.matchAll(/^actor_restarts_total\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0),
  };
  child.kill("SIGTERM");
  say(JSON.stringify({ ...result, exit: await child.exited }, null, 2));
  if (values.report) await Bun.write(values.report, JSON.stringify({ ...result, samples }));
};

if (values.help || !values.clip || !values.model) say(usage);
else await run(values.clip, values.model);
