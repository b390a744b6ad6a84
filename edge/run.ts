/** The process that `bun run start` becomes: its log, its signals, an orderly end. */
import type { LoadedConfig } from "../config/load.ts";
import { delay, systemClock } from "../runtime/clock.ts";
import { reasonOf } from "../runtime/errors.ts";
import { systemRandom } from "../runtime/random.ts";
import { createLog } from "./log.ts";
import { type Running, startProcess } from "./system.ts";

/** Everything is given back by then, or the process ends without. */
const shutdownMs = 10_000;

/** Resolves when all has started; it then runs until a signal, or what cannot go on, ends the process. */
export const run = async (loaded: LoadedConfig): Promise<void> => {
  process.umask(0o077); // cameras' addresses may hold passwords, and evidence shows people

  const log = createLog({ level: loaded.config.observability.logLevel, clock: systemClock, secrets: loaded.secrets() });
  let starting: Promise<Running> | null = null;
  let ending = false;
  const end = async (status: number, reason: string): Promise<void> => {
    if (ending) process.exit(status === 0 ? 130 : status); // a second signal does not wait
    ending = true;
    log.info("process.stopping", { reason });
    // A start in progress ends first; what it has opened is then given back.
    const stopped = Promise.resolve(starting)
      .then((running) => running?.stop(reason))
      .then(
        () => ({ inTime: true }),
        (thrown) => ({ inTime: false, failure: reasonOf(thrown) }),
      );
    const outcome = await Promise.race([stopped, delay(systemClock, shutdownMs - 500).then(() => ({ inTime: false }))]);
    log[outcome.inTime ? "info" : "error"]("process.stopped", { status, ...outcome });
    log.flush();
    process.exit(status);
  };
  const fatal = (status: number, reason: string) => {
    process.stderr.write(`vedette: ${reason}\n`);
    void end(status, reason);
  };
  // Before the first line: whoever reads that the process starts may already tell it to end.
  for (const signal of ["SIGINT", "SIGTERM", "SIGBREAK"] as const) process.on(signal, () => void end(0, signal));
  for (const warning of loaded.warnings) log.warn("config.warning", { warning });
  log.info("process.start", { pid: process.pid, roles: loaded.config.roles });
  starting = startProcess(loaded, { clock: systemClock, random: systemRandom, log, fatal });
  const { url } = await starting;
  // For a person at a terminal; programs read the log's `server.listening`.
  if (process.stderr.isTTY) process.stderr.write(`\n  Vedette is at ${url}\n\n`);
};
