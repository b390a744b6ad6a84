/** `bun run vedette`: one table of subcommands, one line for what goes wrong. */
import { loadConfig, processEnvironment } from "../config/load.ts";
import { maskSecrets } from "../config/secrets.ts";
import { systemClock } from "../runtime/clock.ts";
import { reasonOf, StartRefused } from "../runtime/errors.ts";
import { systemRandom } from "../runtime/random.ts";
import { helpOf, overview, parseWords, type Session } from "./cli/command.ts";
import { commands } from "./cli/table.ts";

const interrupted = 130;

const run = async (): Promise<number> => {
  const parsed = parseWords(commands, process.argv.slice(2));
  if (parsed.kind === "help") {
    process.stdout.write(parsed.command ? helpOf(parsed.command) : overview(commands));
    return 0;
  }
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGBREAK"] as const)
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(interrupted); // a second signal does not wait
      stopping.abort(new Error("interrupted"));
    });
  const { config: options } = parsed;
  const session: Session = {
    clock: systemClock,
    random: systemRandom,
    config: (...set) => loadConfig({ ...options, set: [...(options.set ?? []), ...set] }),
    sources: options,
    environment: processEnvironment(),
    out: (line) => void process.stdout.write(`${line}\n`),
    note: (line) => void process.stderr.write(`${line}\n`),
    signal: stopping.signal,
  };
  return parsed.action.run(parsed.given, session);
};

// `vedette tail | head` closes the pipe before we do.
process.stdout.on("error", () => process.exit(0));
try {
  process.exitCode = await run();
} catch (thrown) {
  process.stderr.write(`vedette: ${maskSecrets(reasonOf(thrown))}\n`);
  process.exitCode = thrown instanceof StartRefused ? thrown.status : 1;
}
await new Promise<void>((written) => process.stdout.write("", () => written()));
// What native libraries and Workers leave behind must not keep a finished command alive.
process.exit();
