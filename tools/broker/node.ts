/**
 * One node of Apache Kafka (KRaft: broker and controller in one process) on loopback: its configuration, its start until it
 * serves, and its ends, orderly or by `kill -9`. It may be started again on the same ports and data.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Kafka, logLevel } from "../../runtime/bus-kafka/kafkajs.ts";
import { delay, systemClock } from "../../runtime/clock.ts";
import { run } from "../process.ts";
import { classPath } from "./jars.ts";

const host = "127.0.0.1";
const startMs = 120_000;
const stopMs = 30_000;
const javaOptions = [
  "-Xmx512m",
  "-XX:+UseSerialGC",
  // A broker that lives for a test gains nothing from the optimising compiler.
  "-XX:TieredStopAtLevel=1",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-Dorg.slf4j.simpleLogger.showDateTime=true",
];

export type BrokerOptions = {
  /** Holds its configuration, certificate, log and data. */
  readonly directory: string;
  /** A free one when 0 or left out. */
  readonly port?: number;
  /** One more listener, which the metadata advertises under this `host:port` that may not exist. */
  readonly advertised?: string;
  /** Also listeners with TLS and SASL, and an authoriser: `alice` may do everything, `guest` nothing. */
  readonly secured?: boolean;
};

/** Users of the secured listeners: for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 alike. */
export const brokerUsers = { alice: "alice-secret", guest: "guest-secret" } as const;

export type BrokerAddresses = {
  readonly plain: string;
  /** Of the listener that is advertised under another address. */
  readonly advertised?: string;
  readonly ssl?: string;
  readonly saslPlaintext?: string;
  readonly saslSsl?: string;
};

/** A node that is configured and formatted. */
export type BrokerPlan = { readonly directory: string; readonly addresses: BrokerAddresses };

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });

const java = async (...args: string[]): Promise<void> => {
  const outcome = await run("java", [...javaOptions, "-cp", classPath(), ...args], { timeoutMs: startMs });
  if (outcome.status !== 0) throw new Error(`${args[0]} ended with ${outcome.status}: ${outcome.output.trim().slice(-500)}`);
};

const certificatePassword = "changeit";
export const certificateOf = ({ directory }: BrokerPlan): string => readFileSync(join(directory, "certificate.pem"), "utf8");

const makeCertificate = async (directory: string): Promise<void> => {
  const store = ["-keystore", join(directory, "keystore.p12"), "-storepass", certificatePassword, "-alias", "broker"];
  const pair = ["-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12", "-dname", "CN=localhost", "-validity", "3650"];
  const names = ["-ext", "san=dns:localhost,ip:127.0.0.1", "-ext", "bc=ca:true"];
  for (const args of [
    [...pair, ...names, ...store],
    ["-exportcert", "-rfc", "-file", join(directory, "certificate.pem"), ...store],
  ]) {
    const outcome = await run("keytool", args, { timeoutMs: 60_000 });
    if (outcome.status !== 0) throw new Error(`keytool ended with ${outcome.status}: ${outcome.output.trim()}`);
  }
};

const plainLogin = "org.apache.kafka.common.security.plain.PlainLoginModule required";
const scramLogin = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
const plainUsers = Object.entries(brokerUsers).map(([name, password]) => `user_${name}="${password}"`);

const securityLines = (directory: string): string[] => [
  "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "super.users=User:ANONYMOUS;User:alice",
  `ssl.keystore.location=${join(directory, "keystore.p12").replaceAll("\\", "/")}`,
  `ssl.keystore.password=${certificatePassword}`,
  "ssl.keystore.type=PKCS12",
  "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
  ...["sasl_plaintext", "sasl_ssl"].flatMap((listener) => [
    `listener.name.${listener}.plain.sasl.jaas.config=${plainLogin} ${plainUsers.join(" ")};`,
    `listener.name.${listener}.scram-sha-256.sasl.jaas.config=${scramLogin}`,
    `listener.name.${listener}.scram-sha-512.sasl.jaas.config=${scramLogin}`,
  ]),
];

type Listener = { readonly name: string; readonly protocol: string; readonly port: number; readonly advertised: string };

const configuration = (directory: string, listeners: readonly Listener[], controllerPort: number, secured: boolean): string => {
  const all = [...listeners, { name: "CONTROLLER", protocol: "PLAINTEXT", port: controllerPort }];
  return [
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.voters=1@${host}:${controllerPort}`,
    "controller.listener.names=CONTROLLER",
    "inter.broker.listener.name=PLAINTEXT",
    `listeners=${all.map(({ name, port }) => `${name}://${host}:${port}`).join(",")}`,
    `advertised.listeners=${listeners.map(({ name, advertised }) => `${name}://${advertised}`).join(",")}`,
    `listener.security.protocol.map=${all.map(({ name, protocol }) => `${name}:${protocol}`).join(",")}`,
    `log.dirs=${join(directory, "data").replaceAll("\\", "/")}`,
    "auto.create.topics.enable=false",
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=4",
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "transaction.state.log.num.partitions=1",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
    // A test's group is whole at once: the broker need not wait three seconds for further members.
    "group.initial.rebalance.delay.ms=0",
    "group.min.session.timeout.ms=1000",
    // The default takes a quarter of the heap.
    "log.cleaner.dedupe.buffer.size=16777216",
    ...(secured ? securityLines(directory) : []),
    "",
  ].join("\n");
};

/** Writes the configuration and formats the data directory; nothing runs yet. */
export const prepareBroker = async (options: BrokerOptions): Promise<BrokerPlan> => {
  const { directory, secured = false } = options;
  mkdirSync(directory, { recursive: true });
  const listener = async (name: string, protocol: string, advertised?: string, asked = 0): Promise<Listener> => {
    const port = asked === 0 ? await freePort() : asked;
    return { name, protocol, port, advertised: advertised ?? `${host}:${port}` };
  };
  const plain = await listener("PLAINTEXT", "PLAINTEXT", undefined, options.port);
  const other = options.advertised === undefined ? [] : [await listener("OTHER", "PLAINTEXT", options.advertised)];
  const secure = secured
    ? await Promise.all(["SSL", "SASL_PLAINTEXT", "SASL_SSL"].map((protocol) => listener(protocol, protocol)))
    : [];
  if (secured) await makeCertificate(directory);
  const listeners = [plain, ...other, ...secure];
  writeFileSync(join(directory, "server.properties"), configuration(directory, listeners, await freePort(), secured));
  const scram = secured
    ? Object.entries(brokerUsers).flatMap(([name, password]) =>
        ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((kind) => ["--add-scram", `${kind}=[name=${name},password=${password}]`]),
      )
    : [];
  const format = ["format", "-t", "dmVkZXR0ZS1icm9rZXItMQ", "-c", join(directory, "server.properties"), "--ignore-formatted"];
  await java("kafka.tools.StorageTool", ...format, ...scram);
  const at = (of: Listener | undefined) => `${host}:${of?.port}`;
  const [ssl, saslPlaintext, saslSsl] = secure;
  return {
    directory,
    addresses: {
      plain: at(plain),
      ...(other[0] ? { advertised: at(other[0]) } : {}),
      ...(secured ? { ssl: at(ssl), saslPlaintext: at(saslPlaintext), saslSsl: at(saslSsl) } : {}),
    },
  };
};

/** Starts the program; it logs to `broker.log` of its directory. Detached, it outlives this process. */
export const launchBroker = ({ directory }: BrokerPlan, isDetached: boolean): ChildProcess => {
  const log = openSync(join(directory, "broker.log"), "a");
  const args = [...javaOptions, "-cp", classPath(), "kafka.Kafka", join(directory, "server.properties")];
  const child = spawn("java", args, { stdio: ["ignore", log, log], detached: isDetached });
  if (isDetached) child.unref();
  return child;
};

/** Whether a client gets an answer that names a live broker. */
export const isServing = async (address: string): Promise<boolean> => {
  const kafka = new Kafka({
    clientId: "vedette-probe",
    brokers: [address],
    connectionTimeout: 1_000,
    requestTimeout: 2_000,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } catch {
    return false;
  } finally {
    await admin.disconnect().catch(() => {});
  }
};

/** What the broker said last, for an error. */
const lastWords = (directory: string): string => {
  const path = join(directory, "broker.log");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").slice(-3).join("\n") : "";
};

/** Resolves when it serves; rejects when it ended before, or takes too long. */
export const untilServing = async ({ directory, addresses }: BrokerPlan, isAlive: () => boolean): Promise<void> => {
  const endMs = systemClock.monotonicMs() + startMs;
  while (!(await isServing(addresses.plain))) {
    if (!isAlive()) throw new Error(`the broker ended at its start: ${lastWords(directory)}`);
    if (systemClock.monotonicMs() > endMs) throw new Error(`the broker does not serve after ${startMs / 1000} s`);
    await delay(systemClock, 100);
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Ends it in order, and after 30 s by force; resolves when it is gone. */
export const stopBroker = async (pid: number): Promise<void> => {
  if (!isAlive(pid)) return;
  process.kill(pid, "SIGTERM");
  const endMs = systemClock.monotonicMs() + stopMs;
  while (isAlive(pid)) {
    if (systemClock.monotonicMs() > endMs) process.kill(pid, "SIGKILL");
    await delay(systemClock, 50);
  }
};

export const isRunning = isAlive;
