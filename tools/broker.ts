/** `bun run broker start|stop|status [--port P]`: a real single-node Apache Kafka on loopback, in the background. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brokerCache, provideBroker } from "./broker/jars.ts";
import { isRunning, isServing, launchBroker, prepareBroker, stopBroker, untilServing } from "./broker/node.ts";
import { readWords, refuseWords } from "./words.ts";

const usage = `bun run broker start|stop|status [--port P]

  start    starts a single Apache Kafka node on 127.0.0.1 and waits until it serves
  stop     stops it in order; its topics stay for the next start
  status   says whether it serves; status 1 when it does not

  --port P  its port, 9092 when not given; brokers on different ports are apart
`;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const parse = () =>
  readWords("broker", {
    options: { port: { type: "string", default: "9092" }, help: { type: "boolean", default: false } },
    allowPositionals: true,
  });

const main = async (): Promise<number> => {
  const { values, positionals } = parse();
  const [command = ""] = positionals;
  const port = Number(values.port);
  if (values.help) {
    say(usage.trimEnd());
    return 0;
  }
  if (!["start", "stop", "status"].includes(command) || positionals.length > 1)
    return refuseWords("broker", `expected start, stop or status, not "${positionals.join(" ")}"`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    return refuseWords("broker", `--port takes a number from 1 to 65535, not "${values.port}"`);
  const directory = join(brokerCache, `broker-${port}`);
  const pidFile = join(directory, "broker.pid");
  const address = `127.0.0.1:${port}`;
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : null;
  const runs = pid !== null && isRunning(pid);

  if (command === "status") {
    const serves = runs && (await isServing(address));
    say(serves ? `broker: serves on ${address}, pid ${pid}` : `broker: ${runs ? "starts" : "not running"} on ${address}`);
    return serves ? 0 : 1;
  }
  if (command === "stop") {
    if (!runs) say(`broker: not running on ${address}`);
    else {
      await stopBroker(pid);
      say(`broker: stopped on ${address}`);
    }
    rmSync(pidFile, { force: true });
    return 0;
  }
  if (runs) {
    say(`broker: serves on ${address}, pid ${pid}`);
    return 0;
  }
  const reason = await provideBroker();
  if (reason !== null) {
    say(`broker: ${reason}`);
    return 1;
  }
  if (await isServing(address)) {
    say(`broker: ${address} is served by another program; choose a --port`);
    return 1;
  }
  mkdirSync(directory, { recursive: true });
  const plan = await prepareBroker({ directory, port });
  const child = launchBroker(plan, true);
  writeFileSync(pidFile, String(child.pid));
  await untilServing(plan, () => child.exitCode === null && child.signalCode === null);
  say(`broker: serves on ${address}, pid ${child.pid}, log ${join(directory, "broker.log")}`);
  return 0;
};

try {
  process.exit(await main());
} catch (thrown) {
  say(`broker: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exit(1);
}
