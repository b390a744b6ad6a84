/** The Kafka bus of a test, with short times, on a broker of `broker.ts` or behind a proxy that can be cut. */
import type { Bus } from "../../runtime/bus.ts";
import { type KafkaBusOptions, openKafkaBus } from "../../runtime/bus-kafka.ts";
import { systemClock } from "../../runtime/clock.ts";
import { type Log, silentLog } from "../../runtime/log.ts";

type Overrides = Partial<Omit<KafkaBusOptions, "access">> & {
  readonly access?: Partial<KafkaBusOptions["access"]>;
};

export const kafkaBusOptions = (address: string, { access, ...overrides }: Overrides = {}): KafkaBusOptions => ({
  access: {
    bootstrapServers: [address],
    clientId: "vedette-test",
    addressMap: {},
    ssl: false,
    sasl: null,
    connectTimeoutMs: 2_000,
    requestTimeoutMs: 5_000,
    retriesMax: 3,
    retryBackoffMs: 50,
    ...access,
  },
  topics: {},
  createTopics: true,
  replication: 3,
  producer: { compression: "snappy", acks: "all", idempotent: true, lingerMs: 2, batchBytes: 32_768 },
  group: { sessionTimeoutMs: 2_000, heartbeatMs: 200, fetchBytes: 1_048_576, fetchMaxWaitMs: 200 },
  writes: null,
  reads: [],
  clock: systemClock,
  log: silentLog,
  ...overrides,
});

export const openTestBus = (address: string, overrides?: Overrides & { readonly log?: Log }): Bus =>
  openKafkaBus(kafkaBusOptions(address, overrides));
