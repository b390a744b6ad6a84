/** One look at one Kafka address: whether a broker answers there, and what the cluster says of its brokers' addresses. */
import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ISocketFactory, KafkaConfig } from "kafkajs";
import { Kafka, logLevel } from "../../../runtime/bus-kafka/kafkajs.ts";
import { type Clock, delay } from "../../../runtime/clock.ts";
import { reasonOf } from "../../../runtime/errors.ts";

const answerMs = 5_000;

export type Address = { readonly host: string; readonly port: number };

export const addressText = ({ host, port }: Address): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;

export const parseAddress = (text: string): Address => {
  const at = text.lastIndexOf(":");
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
};

export type Cluster = {
  readonly id: string;
  readonly brokers: readonly (Address & { readonly nodeId: number })[];
};

/**
 * `answers`: ApiVersions was answered, and the metadata read. `closes`: the connection is accepted and closed without a byte,
 * as proxies and listeners of another protocol do.
 */
export type Probe =
  | { readonly kind: "answers"; readonly cluster: Cluster }
  | { readonly kind: "closes" | "refused" | "unresolved" | "silent" | "denied" | "failed"; readonly reason: string };

export type ProbeOptions = Pick<KafkaConfig, "ssl" | "sasl" | "clientId"> & { readonly clock: Clock };

type Seen = { connected: boolean; closed: boolean; bytes: number; code: string };

/** Dials one address whatever the client asks for: metadata may name brokers that cannot be reached from here. */
const only =
  (to: Address, seen: Seen): ISocketFactory =>
  ({ ssl, onConnect }) => {
    const name = isIP(to.host) ? {} : { servername: to.host };
    const socket: Socket = ssl ? connectTls({ ...to, ...name, ...ssl }, onConnect) : connectTcp({ ...to }, onConnect);
    socket.on("connect", () => {
      seen.connected = true;
    });
    socket.on("data", (bytes) => {
      seen.bytes += bytes.length;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      seen.code = error.code ?? "";
      seen.closed = true;
    });
    // The client gives up at the end of what it may read; the socket closes after.
    socket.on("end", () => {
      seen.closed = true;
    });
    return socket;
  };

const failureOf = (thrown: unknown, seen: Seen): Probe => {
  const reason = reasonOf(thrown).replace(/^(Connection error|Failed to connect): */i, "");
  if (/sasl|authentication/i.test(reason)) return { kind: "denied", reason };
  if (seen.connected && seen.bytes === 0 && seen.closed)
    return { kind: "closes", reason: "it accepts the connection and closes it without an answer" };
  if (seen.code === "ECONNREFUSED" || /ECONNREFUSED/.test(reason)) return { kind: "refused", reason: "nothing listens there" };
  if (seen.connected && seen.bytes === 0)
    return { kind: "silent", reason: `it accepts the connection and says nothing for ${answerMs / 1_000} s` };
  if (!seen.connected && /timeout|ETIMEDOUT/i.test(reason))
    return { kind: "silent", reason: `no connection within ${answerMs / 1_000} s` };
  return { kind: "failed", reason };
};

/** Never rejects; ends within a bounded time. */
export const probeBroker = async (to: Address, { clock, ...options }: ProbeOptions): Promise<Probe> => {
  const seen: Seen = { connected: false, closed: false, bytes: 0, code: "" };
  try {
    await lookup(to.host);
  } catch {
    return { kind: "unresolved", reason: `the name ${to.host} is not known here` };
  }
  const admin = new Kafka({
    ...options,
    brokers: [addressText(to)],
    socketFactory: only(to, seen),
    connectionTimeout: answerMs,
    authenticationTimeout: answerMs,
    requestTimeout: answerMs,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  }).admin();
  const look = async (): Promise<Probe> => {
    await admin.connect();
    const { brokers, clusterId } = await admin.describeCluster();
    return { kind: "answers", cluster: { id: clusterId, brokers } };
  };
  const asked = look().catch((thrown: unknown) => failureOf(thrown, seen));
  const late = new AbortController();
  const tooLate = delay(clock, 2 * answerMs, late.signal).then(
    (): Probe => failureOf(new Error("no answer in time"), seen),
    (): Probe => ({ kind: "failed", reason: "it ended" }), // the answer came first
  );
  const outcome = await Promise.race([asked, tooLate]);
  late.abort(new Error("answered"));
  await Promise.race([admin.disconnect().catch(() => {}), delay(clock, 1_000)]); // one that hangs ends with the process
  return outcome;
};

/** Every address that the name stands for here; empty when it is not known. */
export const resolveHost = async (host: string): Promise<readonly string[]> => {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
};
