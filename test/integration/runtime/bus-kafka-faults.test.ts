/** What a network, a broker and an operator do to the Kafka driver, on a real broker. */
import { afterAll, beforeAll, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { createRequire } from "node:module";
import { createCodec } from "../../../protocols/codec.ts";
import { type DeadLetter, deadLettersOf } from "../../../protocols/dead-letter.ts";
import { Kafka, logLevel } from "../../../runtime/bus-kafka/kafkajs.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { silentLog } from "../../../runtime/log.ts";
import { startBroker, type TestBroker } from "../../support/broker.ts";
import { appendTexts, member, needed, numbered, textsOf, toy, toyTopic } from "../../support/bus-contract/toys.ts";
import { openTestBus } from "../../support/kafka-bus.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { thrownBy } from "../../support/thrown.ts";
import { within } from "../../support/wait.ts";

setDefaultTimeout(90_000);

const advertised = "kafka.invalid:9092";
let broker: TestBroker;
beforeAll(async () => {
  broker = await startBroker({ advertised });
}, 120_000);
afterAll(() => broker?.[Symbol.asyncDispose]());

test("a name that only the brokers' network knows is dialled by the map", async () => {
  const address = needed(broker.addresses.advertised);
  const bus = openTestBus(address, { access: { addressMap: { "Kafka.INVALID:9092": address } } });
  const topic = toyTopic({ partitions: 1 });
  await bus.ensure([topic]);
  await appendTexts(bus, topic, "1", ["a"]);
  expect(textsOf(await bus.read(topic.name, 0, 0, 9))).toEqual(["a"]);
  await bus.close();
});

test("without the map the same name is an outage that names it", async () => {
  const bus = openTestBus(needed(broker.addresses.advertised), { access: { retriesMax: 0, connectTimeoutMs: 500 } });
  await bus.ensure([toyTopic()]);
  expect(bus.health()).toMatchObject({ status: "away", detail: expect.stringContaining("kafka.invalid") });
  await bus.close();
});

test("an append whose acknowledgement was lost does not hide the next one from the log", async () => {
  await using proxy = await startTcpProxy(broker.address);
  const access = { addressMap: { [broker.address]: proxy.address }, requestTimeoutMs: 1_000, retriesMax: 0 };
  const bus = openTestBus(proxy.address, { access });
  const topic = toyTopic({ partitions: 1 });
  await bus.ensure([topic]);
  await appendTexts(bus, topic, "1", ["first"]);
  proxy.muteAnswers();
  expect(await thrownBy(appendTexts(bus, topic, "1", ["stored, not acknowledged"]))).toMatchObject({ code: "unavailable" });
  await proxy.cut();
  await proxy.mend();
  // The same number of records in the same partition: with the old producer's sequence the broker would take it for a repetition.
  await within(20_000, "the append after it", () => appendTexts(bus, topic, "1", ["next"]).catch(() => null));
  const texts = textsOf(await bus.read(topic.name, 0, 0, 9));
  expect(texts).toContain("stored, not acknowledged");
  expect(texts.at(-1)).toBe("next");
  await bus.close();
});

test("a full queue is refused at once", async () => {
  await using proxy = await startTcpProxy(broker.address);
  const access = { addressMap: { [broker.address]: proxy.address }, requestTimeoutMs: 1_000 };
  const bus = openTestBus(proxy.address, { access });
  const topic = toyTopic({ partitions: 1, maxBytes: 1_048_576 });
  await bus.ensure([topic]);
  proxy.muteAnswers();
  const large = "x".repeat(1_000_000);
  const refusals: unknown[] = [];
  for (let count = 0; count < 80; count++)
    void bus.append([toy(topic, "1", large, `id-${count}`)]).catch((thrown) => refusals.push(thrown));
  await within(5_000, "a refusal", () => refusals.length > 0);
  expect(refusals[0]).toMatchObject({ code: "unavailable", details: { reason: "queue_full" } });
  await proxy.cut();
  await within(30_000, "all the others", () => refusals.length === 80);
  await bus.close();
});

test("topics are made with their retention, limits and the broker's clock; what is asked of compaction too", async () => {
  const bus = openTestBus(broker.address);
  const kept = toyTopic({ partitions: 1, retentionMs: 7_200_000, maxBytes: 1_048_576 });
  const compacted = toyTopic({ partitions: 1, retentionMs: null, maxBytes: 65_536 });
  await bus.ensure([kept, compacted]);
  const admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin();
  const configOf = async (name: string) => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name }] });
    return Object.fromEntries(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]) ?? []);
  };
  const common = { "message.timestamp.type": "LogAppendTime" };
  expect(await configOf(kept.name)).toMatchObject({
    ...common,
    "cleanup.policy": "delete",
    "retention.ms": "7200000",
    "max.message.bytes": "1048576",
  });
  expect(await configOf(compacted.name)).toMatchObject({ ...common, "cleanup.policy": "compact", "max.message.bytes": "65536" });
  await admin.disconnect();
  await bus.close();
});

test("a place is found by the broker's time", async () => {
  const bus = openTestBus(broker.address);
  const topic = toyTopic({ partitions: 1 });
  await bus.ensure([topic]);
  await appendTexts(bus, topic, "1", numbered(3));
  await within(
    1_000,
    "a later millisecond",
    async () => systemClock.nowMs() > ((await bus.read(topic.name, 0, 2, 1))[0]?.appendedAtMs ?? 0),
  );
  await appendTexts(bus, topic, "1", numbered(3, 3));
  const records = await bus.read(topic.name, 0, 0, 9);
  const times = records.map(({ appendedAtMs }) => appendedAtMs);
  expect(times).toEqual(times.toSorted((left, right) => left - right));
  expect(await bus.offsetAt(topic.name, 0, (times[2] ?? 0) + 1)).toBe(3);
  expect(await bus.offsetAt(topic.name, 0, (times[5] ?? 0) + 60_000)).toBe(6);
  await bus.close();
});

/** The headers of the first record of a topic, as another program sees them. */
const headersOf = async (name: string): Promise<Record<string, string>> => {
  const consumer = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).consumer({ groupId: name });
  await consumer.subscribe({ topics: [name], fromBeginning: true });
  const seen: Record<string, string>[] = [];
  await consumer.run({
    async eachMessage({ message }) {
      seen.push(Object.fromEntries(Object.entries(message.headers ?? {}).map(([header, value]) => [header, String(value)])));
    },
  });
  await within(20_000, "the record", () => seen.length > 0);
  await consumer.disconnect();
  return needed(seen[0]);
};

test("a record carries the headers that other programs read", async () => {
  const bus = openTestBus(broker.address);
  const topic = toyTopic({ partitions: 1 });
  await bus.ensure([topic]);
  const trace = "0af7651916cd43dd8448eb211c80319c";
  await bus.append([{ ...toy(topic, "1", "a", "id-1"), trace }]);
  const seen = await headersOf(topic.name);
  expect(seen).toMatchObject({
    "content-type": "application/msgpack",
    traceparent: `00-${trace}-${trace.slice(16)}-01`,
    ce_specversion: "1.0",
    ce_id: "id-1",
    ce_source: "vedette/vedette-test",
    ce_type: `vedette.${topic.name}.v1`,
  });
  expect(Number.isNaN(Date.parse(seen.ce_time ?? ""))).toBe(false);
  await bus.close();
});

test("a dead letter says in its headers what befell the record, by Kafka Connect's names", async () => {
  const bus = openTestBus(broker.address);
  const topic = toyTopic({ partitions: 1 });
  const dead = deadLettersOf(topic);
  await bus.ensure([topic, dead]);
  const letter: DeadLetter = {
    ...{ type: "dead.letter", topic: topic.name, partition: 0, offset: 17, key: "1", id: "id-17", recordType: "toy", trace: "" },
    ...{ value: new Uint8Array([1, 2, 3]), disposition: "poison", reason: "the turn threw: größer als \u{1f6a6}", attempts: 3 },
  };
  const bytes = createCodec(dead.messages).encode(letter);
  await bus.append([{ topic: dead.name, key: "1", id: dead.idOf(letter), type: letter.type, trace: "", bytes }]);
  expect(await headersOf(dead.name)).toMatchObject({
    "__connect.errors.topic": topic.name,
    "__connect.errors.partition": "0",
    "__connect.errors.offset": "17",
    "__connect.errors.exception.message": letter.reason,
    "vedette.disposition": "poison",
    "vedette.attempts": "3",
    ce_id: "0/17",
    ce_type: `vedette.${dead.name}.v1`,
  });
  await bus.close();
});

test("a bus that waits arms few timers", async () => {
  const bus = openTestBus(broker.address, {
    group: { sessionTimeoutMs: 6_000, heartbeatMs: 2_000, fetchBytes: 65_536, fetchMaxWaitMs: 500 },
  });
  const topic = toyTopic({ partitions: 4 });
  await bus.ensure([topic]);
  const { events, assigned } = member();
  await bus.consume(topic.name, topic.name, events);
  const seen: unknown[] = [];
  await bus.follow(topic.name, "end", (record) => void seen.push(record));
  await appendTexts(bus, topic, "1", ["a"]);
  await within(20_000, "all partitions and the record", () => assigned.size === 4 && seen.length === 1);
  const timers = spyOn(globalThis, "setTimeout");
  const startMs = systemClock.monotonicMs();
  await within(3_000, "two seconds", () => systemClock.monotonicMs() - startMs > 2_000);
  // `within` itself looks about a hundred times a second; the storm was of a thousand for each connection.
  const perSecond = timers.mock.calls.length / 2;
  timers.mockRestore();
  expect(perSecond).toBeLessThan(250);
  await bus.close();
});

test("a coordinator that loads the group is waited for: the bus is up all the time, and nothing is warned of", async () => {
  const Broker = createRequire(import.meta.url)("kafkajs/src/broker/index.js");
  const loading = () =>
    Object.assign(new Error("the coordinator is loading"), { type: "GROUP_LOAD_IN_PROGRESS", retriable: true });
  const join = spyOn(Broker.prototype, "joinGroup");
  for (let times = 0; times < 3; times++) join.mockImplementationOnce(() => Promise.reject(loading()));
  const offsets = spyOn(Broker.prototype, "offsetFetch").mockImplementationOnce(() => Promise.reject(loading()));
  const warnings: unknown[] = [];
  const bus = openTestBus(broker.address, { log: { ...silentLog, warn: (...line) => void warnings.push(line) } });
  const topic = toyTopic({ partitions: 1 });
  await bus.ensure([topic]);
  const { events, records } = member();
  await bus.consume(topic.name, topic.name, events);
  expect(bus.health()).toMatchObject({ status: "up", waits: [`group ${topic.name} of ${topic.name} is being joined`] });
  await appendTexts(bus, topic, "1", ["a"]);
  const seen = new Set<string>();
  await within(20_000, "the record", () => {
    seen.add(bus.health().status);
    return records.length > 0;
  });
  expect(join.mock.calls.length).toBeGreaterThan(3);
  expect(offsets).toHaveBeenCalled();
  join.mockRestore();
  offsets.mockRestore();
  expect([...seen]).toEqual(["up"]);
  expect(bus.health().waits).toEqual([]);
  expect(warnings).toEqual([]);
  await bus.close();
});

test("kill -9 of the broker under load loses nothing that was acknowledged, and both sides go on by themselves", async () => {
  // Members come back before their session ends, which is longer than all that is waited for here.
  const bus = openTestBus(broker.address, {
    group: { sessionTimeoutMs: 90_000, heartbeatMs: 500, fetchBytes: 1_048_576, fetchMaxWaitMs: 200 },
  });
  const topic = toyTopic({ partitions: 2 });
  await bus.ensure([topic]);
  const { events, records } = member();
  const consumer = await bus.consume(topic.name, topic.name, events);
  const acknowledged: string[] = [];
  let stopped = false;
  const load = async (key: string) => {
    for (let count = 0; !stopped; count++) {
      const text = `${key}-${count}`;
      await appendTexts(bus, topic, key, [text]).then(
        () => acknowledged.push(text),
        () => within(300, "a pause", () => false).catch(() => {}),
      );
    }
  };
  const loads = ["1", "2", "3"].map(load);
  await within(20_000, "deliveries", () => records.length > 100);
  await broker.kill();
  await within(20_000, "the outage to be noticed", () => bus.health().status === "away");
  await broker.restart();
  const before = acknowledged.length;
  await within(30_000, "appends again", () => acknowledged.length > before + 100);
  stopped = true;
  await Promise.all(loads);
  const delivered = () => new Set(textsOf(records));
  await within(30_000, "every acknowledged record", () => {
    const texts = delivered();
    return acknowledged.every((text) => texts.has(text));
  });
  expect(bus.health().status).toBe("up");
  await consumer.stop();
  await bus.close();
});
