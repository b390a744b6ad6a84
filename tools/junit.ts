/** Reads what a test process wrote down of itself: JUnit's XML, as bun:test writes it. */

/** A test as `file: name`, and what it said of itself. */
export type Failure = { readonly test: string; readonly says: string };
export type Tally = { readonly passed: number; readonly failures: readonly Failure[]; readonly skipped: readonly string[] };

const entities: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: "<", gt: ">", amp: "&" };
const plainText = (text: string): string =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return entities[name ?? ""] ?? whole;
  });

const attribute = (tag: string, name: string): string => plainText(new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? "");

const testOf = (tag: string): string => {
  const names = [attribute(tag, "classname"), attribute(tag, "name")].filter((name) => name !== "");
  return `${attribute(tag, "file")}: ${names.join(" > ")}`;
};

/** The tally of one process. */
export const readJunit = (xml: string): Tally => {
  let passed = 0;
  const failures: Failure[] = [];
  const skipped: string[] = [];
  for (const [, tag = "", body = ""] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const [, failureTag = "", text = ""] =
      /<(?:failure|error)\b([^>]*?)(?:\/>|>([\s\S]*?)<\/(?:failure|error)>)/.exec(body) ?? [];
    if (/<(failure|error)\b/.test(body))
      failures.push({ test: testOf(tag), says: plainText(text).trim() || attribute(failureTag, "message") });
    else if (/<skipped\b/.test(body)) skipped.push(testOf(tag));
    else passed += 1;
  }
  return { passed, failures, skipped };
};

/** Adds tallies. */
export const sumTallies = (tallies: readonly Tally[]): Tally => ({
  passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
  failures: tallies.flatMap(({ failures }) => failures),
  skipped: tallies.flatMap(({ skipped }) => skipped),
});
