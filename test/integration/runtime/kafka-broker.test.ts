/** The broker of the other tests: it serves, it dies, and comes back with what it had. */
import { expect, test } from "bun:test";
import { Kafka, logLevel } from "../../../runtime/bus-kafka/kafkajs.ts";
import { isServing } from "../../../tools/broker/node.ts";
import { startBroker } from "../../support/broker.ts";

test("a broker keeps its topics through kill -9 and restart", async () => {
  await using broker = await startBroker();
  const kafka = () => new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
  const first = kafka().admin();
  await first.createTopics({ topics: [{ topic: "kept", numPartitions: 3 }] });
  await first.disconnect();
  await broker.kill();
  expect(await isServing(broker.address)).toBe(false);
  await broker.restart();
  const second = kafka().admin();
  const { topics } = await second.fetchTopicMetadata({ topics: ["kept"] });
  expect(topics[0]?.partitions).toHaveLength(3);
  await second.disconnect();
}, 120_000);
