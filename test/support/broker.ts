/** A real Apache Kafka broker of one test file: a free port, a directory of its own, killed and restarted at will. */
import type { ChildProcess } from "node:child_process";
import { provideBroker } from "../../tools/broker/jars.ts";
import {
  type BrokerAddresses,
  type BrokerOptions,
  certificateOf,
  launchBroker,
  prepareBroker,
  stopBroker,
  untilServing,
} from "../../tools/broker/node.ts";
import { tempDir } from "./temp-dir.ts";
import { within } from "./wait.ts";

export type TestBroker = AsyncDisposable & {
  /** `host:port` to begin with. */
  readonly address: string;
  readonly addresses: BrokerAddresses;
  /** Of a secured broker: the certificate to trust, PEM. */
  readonly certificate: () => string;
  /** Ends it as `kill -9` does. */
  readonly kill: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Starts it again on the same ports and data; resolves when it serves. */
  readonly restart: () => Promise<void>;
};

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** Starts one; a few seconds. The reason is thrown where Java or the jars cannot be had. */
export const startBroker = async (options: Omit<BrokerOptions, "directory"> = {}): Promise<TestBroker> => {
  const reason = await provideBroker();
  if (reason !== null) throw new Error(reason);
  const directory = await tempDir("vedette-broker-");
  const plan = await prepareBroker({ ...options, directory: directory.path });
  let child: ChildProcess | null = null;

  const restart = async () => {
    const launched = launchBroker(plan, false);
    child = launched;
    running.add(launched);
    launched.once("exit", () => running.delete(launched));
    await untilServing(plan, () => !ended(launched));
  };
  const kill = async () => {
    const killed = child;
    if (!killed || ended(killed)) return;
    killed.kill("SIGKILL");
    await within(20_000, "the broker's end", () => ended(killed));
  };
  const stop = async () => {
    if (child?.pid !== undefined && !ended(child)) await stopBroker(child.pid);
  };

  await restart();
  return {
    address: plan.addresses.plain,
    addresses: plan.addresses,
    certificate: () => certificateOf(plan),
    kill,
    stop,
    restart,
    async [Symbol.asyncDispose]() {
      await kill();
      await directory[Symbol.asyncDispose]();
    },
  };
};
