import { expect, setDefaultTimeout, test } from "bun:test";
import { jsonLines, runCli } from "../../support/cli.ts";
import { startClosing, startFakeBroker } from "../../support/fake-broker.ts";

setDefaultTimeout(60_000);

type Finding = {
  readonly name: string;
  readonly status: string;
  readonly detail: string;
  readonly mend?: string;
  readonly brokers?: readonly Readonly<Record<string, unknown>>[];
};

const kafkaFindings = async (bootstrap: readonly string[], ...set: readonly string[]): Promise<Finding[]> => {
  const settings = ["bus=kafka", `kafka.bootstrapServers=${bootstrap.join(",")}`, ...set];
  const { out } = await runCli(["doctor", "--json", ...settings.flatMap((each) => ["--set", each])]);
  const [report] = jsonLines(out) as unknown as { findings: Finding[] }[];
  return report?.findings.filter(({ name }) => name === "kafka") ?? [];
};

test("a broker that advertises the address by which it was asked is fine", async () => {
  using broker = await startFakeBroker((port) => [{ nodeId: 1, host: "127.0.0.1", port }]);
  const findings = await kafkaFindings([`127.0.0.1:${broker.port}`]);
  expect(findings).toMatchObject([
    { status: "ok", detail: expect.stringContaining("cluster fake of 1 broker") },
    { status: "ok", detail: `broker 1 answers at 127.0.0.1:${broker.port}` },
  ]);
  expect(findings[0]?.brokers).toEqual([
    {
      bootstrap: `127.0.0.1:${broker.port}`,
      advertised: `127.0.0.1:${broker.port}`,
      dialled: `127.0.0.1:${broker.port}`,
      resolved: ["127.0.0.1"],
      reachable: true,
    },
  ]);
});

test("a broker that advertises a container's name is named, with the line that mends it; with that line all is well", async () => {
  using broker = await startFakeBroker((port) => [{ nodeId: 1, host: "Kafka.invalid", port }]);
  const bootstrap = `127.0.0.1:${broker.port}`;
  const [, finding] = await kafkaFindings([bootstrap]);
  expect(finding).toMatchObject({
    status: "fail",
    detail: `broker 1: the bootstrap server ${bootstrap} answers, but advertises Kafka.invalid:${broker.port}: the name Kafka.invalid is not known here`,
    mend: `kafka: { addressMap: { "Kafka.invalid:${broker.port}": "${bootstrap}" } }`,
  });
  const mended = await kafkaFindings([bootstrap], `kafka.addressMap=KAFKA.invalid:${broker.port}=${bootstrap}`);
  expect(mended).toMatchObject([
    { status: "ok", brokers: [{ advertised: `Kafka.invalid:${broker.port}`, dialled: bootstrap, reachable: true }] },
    { status: "ok" },
  ]);
});

test("an address that accepts and closes is a finding of its own", async () => {
  using proxy = await startClosing();
  using broker = await startFakeBroker((port) => [
    { nodeId: 1, host: "127.0.0.1", port },
    { nodeId: 2, host: "127.0.0.1", port: proxy.port },
  ]);
  const findings = await kafkaFindings([`127.0.0.1:${broker.port}`, `127.0.0.1:${proxy.port}`]);
  const closes = "it accepts the connection and closes it without an answer; a proxy, or a listener that expects TLS (kafka.ssl)";
  expect(findings).toMatchObject([
    { status: "ok" },
    { status: "fail", detail: `bootstrap 127.0.0.1:${proxy.port}: ${closes}` },
    { status: "ok" },
    { status: "fail", detail: expect.stringContaining(closes), mend: expect.stringContaining("advertised.listeners") },
  ]);
});

test("a bootstrap server that is not there is said so, and what to do", async () => {
  expect(await kafkaFindings(["127.0.0.1:1"])).toMatchObject([
    {
      status: "fail",
      detail: "bootstrap 127.0.0.1:1: nothing listens there",
      mend: expect.stringContaining("bun run broker start"),
      brokers: [{ reachable: false }],
    },
  ]);
});

test("a bootstrap server under a container's name is found on this machine", async () => {
  using broker = await startFakeBroker((port) => [{ nodeId: 1, host: "localhost", port }]);
  const [finding] = await kafkaFindings([`kafka-server.invalid:${broker.port}`]);
  expect(finding).toMatchObject({
    status: "fail",
    mend: `kafka: { addressMap: { "kafka-server.invalid:${broker.port}": "localhost:${broker.port}" } }`,
  });
});
