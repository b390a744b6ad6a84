/** A child process that is waited for, bounded in time. */

export type ProcessResult = { readonly exitCode: number; readonly errors: string };

/** Null when this machine does not have the program. Exit code -1 stands for one that a signal ended, as at the time limit. */
export type RunProcess = (
  command: readonly string[],
  options: { readonly cwd: string; readonly timeoutMs: number },
) => Promise<ProcessResult | null>;

/** What is kept of the end of its error output. */
const errorsMax = 2_000;

export const runProcess: RunProcess = async ([program = "", ...rest], { cwd, timeoutMs }) => {
  const path = Bun.which(program);
  if (!path) return null;
  const child = Bun.spawn([path, ...rest], {
    cwd,
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const [exitCode, errors] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  return { exitCode: child.signalCode ? -1 : exitCode, errors: errors.trim().slice(-errorsMax) };
};
