/** TLS, SASL and rights against a real broker that asks for them. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Bus } from "../../../runtime/bus.ts";
import type { KafkaAccess } from "../../../runtime/bus-kafka/client.ts";
import { brokerUsers } from "../../../tools/broker/node.ts";
import { startBroker, type TestBroker } from "../../support/broker.ts";
import { appendTexts, member, textsOf, toyTopic, untilTexts } from "../../support/bus-contract/toys.ts";
import { openTestBus } from "../../support/kafka-bus.ts";
import { thrownBy } from "../../support/thrown.ts";

setDefaultTimeout(60_000);

let broker: TestBroker;
beforeAll(async () => {
  broker = await startBroker({ secured: true });
}, 120_000);
afterAll(() => broker?.[Symbol.asyncDispose]());

const login = (mechanism: NonNullable<KafkaAccess["sasl"]>["mechanism"], user: keyof typeof brokerUsers, password?: string) => ({
  mechanism,
  username: user,
  password: password ?? brokerUsers[user],
});

const usingBus = async <Answer>(
  address: string | undefined,
  access: Partial<KafkaAccess>,
  use: (bus: Bus) => Promise<Answer>,
) => {
  const bus = openTestBus(address ?? "", { access: { bootstrapServers: [address ?? ""], ...access } });
  try {
    return await use(bus);
  } finally {
    await bus.close();
  }
};

/** A record goes there and comes back, through a group and without. */
const roundTrip = async (bus: Bus) => {
  const topic = toyTopic({ partitions: 2 });
  await bus.ensure([topic]);
  const [place] = await appendTexts(bus, topic, "1", ["a", "b"]);
  const { events, records } = member();
  const consumer = await bus.consume(topic.name, `group-${topic.name}`, events);
  await untilTexts(records, ["a", "b"]);
  await consumer.stop();
  return textsOf(await bus.read(topic.name, place?.partition ?? -1, 0, 9));
};

describe("a login", () => {
  for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"] as const) {
    test(`by ${mechanism}`, () =>
      usingBus(broker.addresses.saslPlaintext, { sasl: login(mechanism, "alice") }, async (bus) =>
        expect(await roundTrip(bus)).toEqual(["a", "b"]),
      ));

    test(`by ${mechanism} with a wrong password is refused as that`, () =>
      usingBus(broker.addresses.saslPlaintext, { sasl: login(mechanism, "alice", "wrong") }, async (bus) => {
        const fault = await thrownBy(bus.ensure([toyTopic()]));
        expect(fault).toMatchObject({ code: "unauthorized", message: expect.stringContaining("kafka.sasl") });
        expect(String(fault)).not.toContain("wrong");
      }));
  }
});

describe("TLS", () => {
  test("with the broker's authority", () =>
    usingBus(broker.addresses.ssl, { ssl: { ca: broker.certificate() } }, async (bus) =>
      expect(await roundTrip(bus)).toEqual(["a", "b"]),
    ));

  test("and a login", () =>
    usingBus(
      broker.addresses.saslSsl,
      { ssl: { ca: broker.certificate() }, sasl: login("scram-sha-512", "alice") },
      async (bus) => expect(await roundTrip(bus)).toEqual(["a", "b"]),
    ));

  test("of an authority that is not trusted is refused", () =>
    usingBus(broker.addresses.ssl, { ssl: true }, async (bus) => {
      await bus.ensure([toyTopic()]);
      expect(bus.health()).toMatchObject({ status: "away", detail: expect.stringContaining("certificate") });
    }));
});

test("a user without rights is told so", () =>
  usingBus(broker.addresses.saslPlaintext, { sasl: login("plain", "guest") }, async (bus) => {
    const fault = await thrownBy(bus.ensure([toyTopic()]));
    expect(fault).toMatchObject({ code: "forbidden", message: expect.stringContaining("AUTHORIZATION_FAILED") });
  }));
