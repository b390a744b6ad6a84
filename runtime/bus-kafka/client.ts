/** Connections to a Kafka cluster: addresses, encryption, login, limits. Each part of the driver opens its own. */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import type { Cluster, ISocketFactory, Kafka as KafkaClient, KafkaConfig, logCreator, SASLOptions } from "kafkajs";
import type { Log } from "../log.ts";
import { Kafka, logLevel } from "./kafkajs.ts";

export type KafkaAccess = {
  readonly bootstrapServers: readonly string[];
  readonly clientId: string;
  /** Exact `host:port` to the `host:port` to be dialled instead, for bootstrap and for what the brokers advertise. */
  readonly addressMap: Readonly<Record<string, string>>;
  /** True trusts the system's authorities. */
  readonly ssl: boolean | { readonly ca: string };
  readonly sasl: {
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
    readonly username: string;
    readonly password: string;
  } | null;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly retriesMax: number;
  readonly retryBackoffMs: number;
};

const keepAliveMs = 60_000;
const retryMaxMs = 30_000;
const metadataMaxAgeMs = 300_000;

type HostPort = { readonly host: string; readonly port: number };

/** Of `host:port` or `[v6]:port`. */
const hostPortOf = (address: string): HostPort => {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(address.slice(at + 1)) };
};

/** Where to dial for an address that was configured or advertised. */
export const addressMapping = (map: Readonly<Record<string, string>>): ((asked: HostPort) => HostPort) => {
  const mapped = new Map(Object.entries(map).map(([from, to]) => [from.toLowerCase(), hostPortOf(to)]));
  return ({ host, port }) => {
    const name = isIP(host) === 6 ? `[${host}]` : host;
    return mapped.get(`${name}:${port}`.toLowerCase()) ?? { host, port };
  };
};

/** Dials by the map. What TLS verifies is the name that was asked for, not the one that is dialled. */
const socketFactory = (map: Readonly<Record<string, string>>): ISocketFactory => {
  const mappingOf = addressMapping(map);
  return ({ host, port, ssl, onConnect }): Socket => {
    const to = mappingOf({ host, port });
    const servername = isIP(host) ? {} : { servername: host };
    const options = { ...to, ...servername, ...(ssl as ConnectionOptions | undefined) }; // undefined where nothing is encrypted
    const socket = ssl ? connectTls(options, onConnect) : connectTcp(to, onConnect);
    socket.setKeepAlive(true, keepAliveMs);
    // Requests are written whole; waiting for more to send would only delay them.
    socket.setNoDelay(true);
    return socket;
  };
};

/** The client splits a bootstrap address at its first colon, which an IPv6 address does not survive: it gets a name. */
const withoutColons = (access: KafkaAccess): Pick<KafkaAccess, "bootstrapServers" | "addressMap"> => {
  const names: Record<string, string> = {};
  const bootstrapServers = access.bootstrapServers.map((address, index) => {
    if (!address.startsWith("[")) return address;
    const name = `bootstrap-${index}.invalid:${hostPortOf(address).port}`;
    const { host, port } = addressMapping(access.addressMap)(hostPortOf(address));
    names[name] = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
    return name;
  });
  return { bootstrapServers, addressMap: { ...access.addressMap, ...names } };
};

const saslOf = (sasl: NonNullable<KafkaAccess["sasl"]>): SASLOptions => {
  const { mechanism, username, password } = sasl;
  return { mechanism, username, password } as SASLOptions; // the union cannot be told apart by a mechanism that varies
};

const clientLog =
  (log: Log): logCreator =>
  () =>
  ({ namespace, log: { message, logger: _logger, timestamp: _timestamp, stack: _stack, ...fields } }) => {
    const { error, groupId, broker } = fields;
    log.debug("bus.client", { driver: "kafka", part: namespace, text: message, error, groupId, broker });
  };

/** What the client says is for debugging; outages and refusals are reported by the driver, once. */
export const createClient = (access: KafkaAccess, log: Log): KafkaClient => {
  const { bootstrapServers, addressMap } = withoutColons(access);
  const config: KafkaConfig = {
    clientId: access.clientId,
    brokers: [...bootstrapServers],
    connectionTimeout: access.connectTimeoutMs,
    authenticationTimeout: access.connectTimeoutMs,
    requestTimeout: access.requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: {
      retries: access.retriesMax,
      initialRetryTime: access.retryBackoffMs,
      maxRetryTime: retryMaxMs,
      multiplier: 2,
      factor: 0.2,
    },
    socketFactory: socketFactory(addressMap),
    logLevel: logLevel.INFO,
    logCreator: clientLog(log),
  };
  if (access.ssl !== false) config.ssl = access.ssl === true ? {} : { ca: access.ssl.ca };
  if (access.sasl !== null) config.sasl = saslOf(access.sasl);
  return new Kafka(config);
};

/**
 * The client's view of the cluster, for what it offers to members of groups only. It is handed to partition assigners, so a
 * consumer that never joins gives it.
 */
export const createCluster = (access: KafkaAccess, log: Log): Cluster => {
  let found: Cluster | null = null;
  createClient(access, log).consumer({
    groupId: "none",
    metadataMaxAge: metadataMaxAgeMs,
    allowAutoTopicCreation: false,
    partitionAssigners: [
      ({ cluster }) => {
        found = cluster;
        return {
          name: "none",
          version: 0,
          assign: async () => [],
          protocol: () => ({ name: "none", metadata: Buffer.alloc(0) }),
        };
      },
    ],
  });
  if (found === null) throw new Error("kafkajs did not hand its cluster to the assigner");
  return found;
};
