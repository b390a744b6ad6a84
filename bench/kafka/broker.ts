/** A real broker of the bench's own: a free port, an empty folder, ended with the bench. */
import { provideBroker } from "../../tools/broker/jars.ts";
import { launchBroker, prepareBroker, untilServing } from "../../tools/broker/node.ts";
import { emptyFolder } from "../folder.ts";

export type BenchBroker = { readonly address: string; readonly close: () => Promise<void> };

export const startBenchBroker = async (): Promise<BenchBroker> => {
  const reason = await provideBroker();
  if (reason !== null) throw new Error(reason);
  const folder = emptyFolder();
  const plan = await prepareBroker({ directory: folder.path });
  const child = launchBroker(plan, false);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  await untilServing(plan, () => child.exitCode === null && child.signalCode === null);
  return {
    address: plan.addresses.plain,
    async close() {
      kill();
      await ended;
      process.off("exit", kill);
      folder.remove();
    },
  };
};
