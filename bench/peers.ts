/**
 * What the verdict's half of the pipeline makes of a backlog, beside a Python service that does the same. Goal: twenty times as many
 * records a second. Not asked: cameras, detection, viewers; limits of a model's provider.
 */
import type { Bench } from "./bench.ts";
import type { Contest, Contestant } from "./harness.ts";
import { imageBytes, inFlight, modelLatency, type PeerRun, providePython, runPython, runVedette } from "./peers/rig.ts";

/** Runs once and tells of it twice: what a run cost is kept for the contest that asks for it. */
const twoSided = (name: string, run: (records: number) => Promise<PeerRun>) => {
  const costs: number[] = [];
  const measured = async (records: number): Promise<PeerRun> => {
    const outcome = await run(records);
    costs.push(outcome.cpuMsPerRecord);
    return outcome;
  };
  const rate: Contestant = {
    name,
    async run(records) {
      return { values: [(await measured(records)).recordsPerSecond], hash: records };
    },
  };
  const cost: Contestant = {
    name,
    async run(records) {
      return { values: [costs.shift() ?? (await run(records)).cpuMsPerRecord], hash: records };
    },
  };
  return { rate, cost };
};

export const peers = (): Bench => {
  const vedette = twoSided("vedette", runVedette);
  const python = twoSided("Python: confluent-kafka, aiohttp", runPython);
  const contest = { size: 6_000, rounds: 3, warmUps: 0 } as const;
  return {
    name: "peers",
    notes: [
      `Records of one group and a picture of ${imageBytes} bytes wait on a broker of the run's own; the rate is that of the last two`,
      `thirds. At most ${inFlight} calls in flight to the simulated model, which answers after ${modelLatency}; every record has its answer. Vedette: the roles`,
      "task-generator, scheduler and aggregator in one process, durable and settled, MessagePack. Python (bench/peers/service.py): a process each,",
      "JSON with base64, offsets committed every 5 s whatever became of the records, one session kept open, no limits, no deadlines. All of it,",
      "broker and model included, on the same cores: the rate is what is left of them, CPU is of the service's processes alone.",
    ],
    contests: [
      {
        name: "records merged",
        async open(): Promise<Contest> {
          await providePython();
          return {
            ...contest,
            unit: "records/s",
            subject: vedette.rate,
            versus: [{ ...python.rate, target: { of: "ratio", limit: 20 } }],
          };
        },
      },
      {
        name: "CPU time of a record",
        async open(): Promise<Contest> {
          await providePython();
          return { ...contest, unit: "ms", subject: vedette.cost, versus: [python.cost] };
        },
      },
    ],
  };
};
