/** A child process that is waited for. */
export type RunProcess = (
  command: readonly string[],
  options: { readonly cwd: string; readonly timeoutMs: number },
) => Promise<{ readonly exitCode: number; readonly errors: string }>;

const errorsMax = 2_000;

/** Exit code −1 stands for a process that a signal ended, as at the time limit. */
export const runProcess: RunProcess = async (command, { cwd, timeoutMs }) => {
  const child = Bun.spawn([...command], { cwd, timeout: timeoutMs, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const errors = await new Response(child.stderr).text();
  const exitCode = await child.exited;
  return { exitCode: child.signalCode ? -1 : exitCode, errors: errors.trim().slice(-errorsMax) };
};
