/** A Kafka broker for as long as this program runs: `bun bench/load/broker.ts DIRECTORY PORT`. */

import { mkdirSync } from "node:fs";
import { launchBroker, prepareBroker, stopBroker, untilServing } from "../../tools/broker/node.ts";

const [directory = "", port = "0"] = process.argv.slice(2);
mkdirSync(directory, { recursive: true });
const plan = await prepareBroker({ directory, port: Number(port) });
const child = launchBroker(plan, false);
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    const ended = child.pid === undefined ? Promise.resolve() : stopBroker(child.pid);
    ended.finally(() => process.exit(0));
  });
await untilServing(plan, () => child.exitCode === null && child.signalCode === null);
process.stdout.write(`serves on ${plan.addresses.plain}, pid ${child.pid}\n`);
child.once("exit", () => process.exit(1));
