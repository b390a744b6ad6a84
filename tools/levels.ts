/** The levels of tests: which files each takes, what it needs to run, and how long it may. */
import { join } from "node:path";
import { provideBroker } from "./broker/jars.ts";
import { provideChromium } from "./chromium.ts";
import { type Host, hosts, isPortableTest, provideHost } from "./portable.ts";

export type Level = {
  readonly name: string;
  readonly glob: string;
  /** Of the glob's files only those whose path matches, or does not. */
  readonly only?: RegExp;
  readonly except?: RegExp;
  readonly timeoutMs: number;
  /** Needs nothing but this repository and judges nothing by real time, so that another such level may run beside it. */
  readonly isPure: boolean;
  /** Runs the portable ones of the files under another runtime than Bun. */
  readonly host?: Host;
  /** Gets what the level needs; a text says why it is not to be had. */
  readonly provide?: () => Promise<string | null>;
};

const minuteMs = 60_000;
/** Integration and e2e tests whose path says that they take a Kafka broker. */
const onKafka = /kafka/;
/** Simulations of minutes of load, of each planted bug, of the acts at the junction and in another process. */
const longRuns = /^test\/sim\/(admission|planted|portable|quota|risk-now)\./;
/** Whether each bench runs, with all that it is measured against. */
const benchRuns = /^test\/unit\/bench\//;

const tidy: Level = { name: "tidy", glob: "test/tidy.test.ts", timeoutMs: minuteMs, isPure: true };
const unit: Level = { name: "unit", glob: "test/unit/**/*.test.ts", timeoutMs: 4 * minuteMs, isPure: true };
const property: Level = { name: "property", glob: "test/property/**/*.test.ts", timeoutMs: 4 * minuteMs, isPure: true };
const sim: Level = { name: "sim", glob: "test/sim/**/*.test.ts", timeoutMs: 4 * minuteMs, isPure: true };

/** What `bun run check` runs: no level that needs anything but this repository, and no long run. The longest come first. */
export const fastLevels: readonly Level[] = [{ ...unit, except: benchRuns }, { ...sim, except: longRuns }, property, tidy];

export const levels: readonly Level[] = [
  sim,
  unit,
  ...hosts.map((host) => ({
    name: "portable",
    glob: "test/{unit,property,sim}/**/*.test.ts",
    timeoutMs: 4 * minuteMs,
    isPure: true,
    host,
    provide: () => provideHost(host),
  })),
  property,
  tidy,
  { name: "integration", glob: "test/integration/**/*.test.ts", except: onKafka, timeoutMs: 7 * minuteMs, isPure: false },
  { name: "e2e", glob: "test/e2e/**/*.test.ts", except: onKafka, timeoutMs: 8 * minuteMs, isPure: false },
  { name: "browser", glob: "test/browser/**/*.test.ts", timeoutMs: 3 * minuteMs, isPure: false, provide: provideChromium },
  {
    name: "kafka",
    glob: "test/{integration,e2e}/**/*.test.ts",
    only: onKafka,
    timeoutMs: 12 * minuteMs,
    isPure: false,
    provide: provideBroker,
  },
];

const root = join(import.meta.dirname, "..");

/** The level's files in the order of their names; with filters, those whose path contains one. */
export const filesOf = ({ glob, only, except, host }: Level, filters: readonly string[]): string[] =>
  [...new Bun.Glob(glob).scanSync({ cwd: root })]
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => (only?.test(file) ?? true) && !except?.test(file))
    .filter((file) => !host || isPortableTest(file))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .toSorted();
