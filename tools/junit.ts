/** Reads what a test process wrote down of itself: JUnit's XML, as bun:test writes it. */

export type Tally = { readonly passed: number; readonly failed: number; readonly skipped: readonly string[] };

const entities: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: "<", gt: ">", amp: "&" };
const plainText = (text: string): string =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return entities[name ?? ""] ?? whole;
  });

const attribute = (tag: string, name: string): string => plainText(new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? "");

/** The tally of one process. Skipped tests are named `file: test`. */
export const readJunit = (xml: string): Tally => {
  let passed = 0;
  let failed = 0;
  const skipped: string[] = [];
  for (const [, tag = "", body = ""] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    if (/<(failure|error)\b/.test(body)) failed += 1;
    else if (/<skipped\b/.test(body)) {
      const names = [attribute(tag, "classname"), attribute(tag, "name")].filter((name) => name !== "");
      skipped.push(`${attribute(tag, "file")}: ${names.join(" > ")}`);
    } else passed += 1;
  }
  return { passed, failed, skipped };
};

/** Adds tallies. */
export const sumTallies = (tallies: readonly Tally[]): Tally => ({
  passed: tallies.reduce((sum, { passed }) => sum + passed, 0),
  failed: tallies.reduce((sum, { failed }) => sum + failed, 0),
  skipped: tallies.flatMap(({ skipped }) => skipped),
});
