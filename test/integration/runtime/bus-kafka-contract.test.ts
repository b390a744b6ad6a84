/** The bus contract on a real broker, through a proxy that stands for the network. */
import { afterAll, beforeAll, setDefaultTimeout } from "bun:test";
import type { Bus } from "../../../runtime/bus.ts";
import { startBroker, type TestBroker } from "../../support/broker.ts";
import { busContract } from "../../support/bus-contract.ts";
import { openTestBus } from "../../support/kafka-bus.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";
import { within } from "../../support/wait.ts";

setDefaultTimeout(60_000);

let broker: TestBroker;
beforeAll(async () => {
  broker = await startBroker();
}, 120_000);
afterAll(() => broker?.[Symbol.asyncDispose]());

busContract("kafka", async () => {
  const open = async (): Promise<{ readonly proxy: TcpProxy; readonly bus: Bus }> => {
    const proxy = await startTcpProxy(broker.address);
    return { proxy, bus: openTestBus(proxy.address, { access: { addressMap: { [broker.address]: proxy.address } } }) };
  };
  const first = await open();
  const opened = [first];
  return {
    bus: first.bus,
    async reopen() {
      await opened.at(-1)?.proxy.cut();
      const next = await open();
      opened.push(next);
      return next.bus;
    },
    away: () => first.proxy.cut(),
    /** Its next probe finds out. */
    async back() {
      await first.proxy.mend();
      await within(10_000, "the cluster to be found", () => first.bus.health().status === "up");
    },
    async dispose() {
      await Promise.all(opened.map(({ bus }) => bus.close()));
      await Promise.all(opened.map(({ proxy }) => proxy.cut()));
    },
  };
}, [
  // A log of Kafka appends what it is given; readers of ours show an id once.
  "unique ids",
  // The broker's clock cannot be moved; what is asked of it is tested apart.
  "retention",
  "compaction",
]);
