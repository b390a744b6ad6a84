/**
 * `bun run start`: reads the configuration, and becomes the process that is asked for. What it imports is loaded twice where
 * the environment is set by starting once more, so all that runs stands behind one import.
 */
import { loadConfig, processEnvironment } from "../config/load.ts";
import { reasonOf, StartRefused } from "../runtime/errors.ts";
import { parseStart, startUsage } from "./arguments.ts";
import { relaunch } from "./launch.ts";

const start = async (): Promise<void> => {
  const { action, config: options } = parseStart(process.argv.slice(2));
  if (action === "help") return void process.stdout.write(startUsage);
  const loaded = loadConfig(options);
  if (action === "start") {
    relaunch(loaded.config, processEnvironment());
    const { run } = await import("./run.ts");
    return run(loaded);
  }
  const { checkReport, printConfig } = await import("../config/print.ts");
  process.stdout.write(action === "print" ? printConfig(loaded) : `${checkReport(loaded)}\n`);
};

try {
  await start();
} catch (thrown) {
  process.stderr.write(`vedette: ${reasonOf(thrown)}\n`);
  process.exit(thrown instanceof StartRefused ? thrown.status : 1);
}
