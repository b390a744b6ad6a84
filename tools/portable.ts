/** The portable core, and the runtimes beside Bun under which its tests run as they are. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "./process.ts";

/** Files of `runtime/` that are drivers for one runtime or one service, by their own path or their test's. */
export const drivers =
  /^runtime\/(bus-(sqlite|kafka)|store-(sqlite|redis)|spool-sqlite|kafka|redis|jpeg|sqlite|download|run-process)\b/;

/** Tests of the portable core. Those of `test/sim` are there for a run that takes everything together. */
export const isPortableTest = (path: string): boolean =>
  /^test\/(unit\/(protocols|runtime)\/|property\/(codec|mailbox|settlement|intensity|timers)|sim\/portable\.)/.test(path) &&
  !drivers.test(path.replace("test/unit/", ""));

export type Host = {
  readonly name: string;
  readonly program: string;
  /** What stands before the TypeScript file and its own arguments. */
  readonly args: readonly string[];
};

const root = join(import.meta.dirname, "..");
const suffix = process.platform === "win32" ? ".exe" : "";
const support = "test/support/portable";
const installed = (...path: string[]): string => join(root, "node_modules", ...path);

/** Both come with `npm install`. */
export const hosts: readonly Host[] = [
  {
    name: "node",
    program: installed("node", "bin", `node${suffix}`),
    args: ["--import", `./${support}/node.ts`],
  },
  {
    name: "deno",
    program: installed("deno", `deno${suffix}`),
    args: ["run", "--allow-all", "--no-check", "--quiet", "--import-map", `./${support}/imports.json`],
  },
];

/** Null when it runs; else a text that says why it does not. */
export const provideHost = async ({ name, program }: Host): Promise<string | null> => {
  if (!existsSync(program))
    return `${name} is not installed; npm install brings it (bun install does not run its install script)`;
  const { status, output } = await run(program, ["--version"], { timeoutMs: 20_000 });
  return status === 0 ? null : `${name} does not run here: ${output.trim().split("\n", 1)[0] || `status ${status}`}`;
};
