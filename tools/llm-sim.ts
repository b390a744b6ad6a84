/** `bun run llm-sim`: a chat endpoint without a model, on this machine only. `--help` tells its options. */
import { reasonOf } from "../runtime/errors.ts";
import { parseCommandLine, usage } from "./llm-sim/options.ts";
import { startLlmSim } from "./llm-sim/server.ts";

/** Of calls over loopback, on a machine that has other work. */
const usualJitterMs = 50;
const wrongUsage = 64; // EX_USAGE of sysexits.h

const end = (status: number, line: string): never => {
  process.stderr.write(`llm-sim: ${line}\n`);
  process.exit(status);
};

const command = parseCommandLine(process.argv.slice(2));
if (command.kind === "help") process.stdout.write(usage);
else if (command.kind === "refused") end(wrongUsage, `${command.says} (--help tells all options)`);
else {
  const { settings } = command;
  const sim = await startLlmSim({ ...settings, jitterMs: settings.jitterMs ?? usualJitterMs }).catch((thrown) =>
    end(1, `cannot listen on port ${settings.port ?? 0} of 127.0.0.1: ${reasonOf(thrown)}`),
  );
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      sim.stop().finally(() => process.exit(0));
    });
  process.stdout.write(`llm-sim: base URL ${sim.url}/v1\n`);
}
