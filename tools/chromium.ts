/** Chromium for the browser tests: the one that is installed, else Debian's, where that can be installed. */
import { run } from "./process.ts";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const isThere = (): boolean => names.some((name) => Bun.which(name) !== null);

/** Null when there is one; else why not. */
export const provideChromium = async (): Promise<string | null> => {
  if (isThere()) return null;
  const advice = "needs Chromium (apt-get install chromium)";
  if (Bun.which("apt-get") === null) return advice;
  if (process.getuid?.() !== 0) return `${advice}; installing it takes root`;
  process.stdout.write("installing chromium for the browser tests\n");
  const options = { timeoutMs: 300_000 };
  await run("apt-get", ["update", "-qq"], options);
  const install = await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"], options);
  return isThere() ? null : `${advice}; installing it failed: ${install.output.trim().split("\n").at(-1) ?? ""}`;
};
