/** `run.ts REPORT FILE...` under Node or Deno: runs test files written for Bun one after the other, tells of each, and writes JUnit's XML. */
import { writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { systemClock } from "../../../runtime/clock.ts";
import { type Case, collect, type Suite } from "./bun-test.ts";

type Verdict = {
  readonly file: string;
  readonly title: string;
  readonly outcome: "passed" | "skipped" | { readonly error: string };
};

const describeError = (thrown: unknown): string => (thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));

const withinTime = (timeoutMs: number, work: () => unknown): Promise<unknown> => {
  const late = Promise.withResolvers<never>();
  const cancel = systemClock.after(timeoutMs, () => late.reject(new Error(`not done after ${timeoutMs} ms`)));
  return Promise.race([(async () => work())(), late.promise]).finally(cancel);
};

const runCase = async ({ timeoutMs, isSkipped, body }: Case, around: readonly Suite[]): Promise<Verdict["outcome"]> => {
  if (isSkipped) return "skipped";
  try {
    for (const { hooks } of around) for (const hook of hooks.beforeEach) await hook();
    try {
      await withinTime(timeoutMs, body);
    } finally {
      for (const { hooks } of around.toReversed()) for (const hook of hooks.afterEach) await hook();
    }
    return "passed";
  } catch (thrown) {
    return { error: describeError(thrown) };
  }
};

async function* runSuite(suite: Suite, around: readonly Suite[]): AsyncGenerator<readonly [title: string, Verdict["outcome"]]> {
  const chain = [...around, suite];
  const titleOf = (title: string) => [...chain.slice(1).map((each) => each.title), title].join(" > ");
  try {
    for (const hook of suite.hooks.before) await hook();
    for (const child of suite.children) {
      if ("children" in child) yield* runSuite(child, chain);
      else yield [titleOf(child.title), await runCase(child, chain)];
    }
    for (const hook of suite.hooks.after) await hook();
  } catch (thrown) {
    yield [titleOf("before or after all"), { error: describeError(thrown) }];
  }
}

const escaped = (text: string): string =>
  text
    .replaceAll(/(?!\n)[\p{Cc}\p{Cs}]/gu, " ") // XML has no place for them
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");

const elementOf = ({ file, title, outcome }: Verdict): string => {
  const inner = outcome === "passed" ? "" : outcome === "skipped" ? "<skipped/>" : `<failure>${escaped(outcome.error)}</failure>`;
  return `<testcase file="${escaped(file)}" name="${escaped(title)}">${inner}</testcase>`;
};

const [report, ...files] = process.argv.slice(2);
if (report === undefined || files.length === 0) throw new Error("say where the report goes, and which files to run");
const verdicts: Verdict[] = [];
/** Told as Bun tells it. */
const tell = (verdict: Verdict): void => {
  const { title, outcome } = verdict;
  verdicts.push(verdict);
  if (typeof outcome === "object") process.stdout.write(`${outcome.error}\n(fail) ${title}\n`);
  else process.stdout.write(`(${outcome === "passed" ? "pass" : "skip"}) ${title}\n`);
};
for (const file of files) {
  process.stdout.write(`\n${file}:\n`);
  try {
    const suite = await collect(file, () => import(pathToFileURL(file).href));
    for await (const [title, outcome] of runSuite(suite, [])) tell({ file, title, outcome });
  } catch (thrown) {
    tell({ file, title: "is loaded", outcome: { error: describeError(thrown) } });
  }
}
writeFileSync(report, `<testsuites>\n${verdicts.map(elementOf).join("\n")}\n</testsuites>\n`);
process.exit(verdicts.some(({ outcome }) => typeof outcome === "object") ? 1 : 0);
