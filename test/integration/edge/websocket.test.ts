import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { encode } from "@msgpack/msgpack";
import { messagePack } from "../../../edge/client/message-pack.ts";
import { connectLive, type LinkState, type LiveClient } from "../../../edge/client.ts";
import { createApp, type Serving, serve } from "../../../edge/server.ts";
import type { ServerMessage } from "../../../protocols/websocket.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { seededRandom } from "../../../runtime/random.ts";
import { aDetection, aRiskUpdate, asOutgoing, type EdgeOptions, type FakeEdge, fakeEdge } from "../../support/edge.ts";
import { openRaw } from "../../support/raw-websocket.ts";
import { within } from "../../support/wait.ts";

setDefaultTimeout(60_000);

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const start = async (options: EdgeOptions = {}, port = 0): Promise<FakeEdge & { readonly serving: Serving }> => {
  const edge = await fakeEdge(options);
  const serving = serve(createApp(edge), edge, { host: "127.0.0.1", port });
  closers.push(() => serving.stop(0));
  return { ...edge, serving };
};

type Listening = { readonly client: LiveClient; readonly messages: ServerMessage[]; readonly states: LinkState[] };
const listen = async (port: number, options: Partial<Parameters<typeof connectLive>[0]> = {}): Promise<Listening> => {
  const messages: ServerMessage[] = [];
  const states: LinkState[] = [];
  const client = connectLive({
    url: `ws://127.0.0.1:${port}/ws`,
    clock: systemClock,
    random: seededRandom(1),
    message: (message) => void messages.push(message),
    state: (state) => void states.push(state),
    ...options,
  });
  closers.push(() => client.close());
  await within(20_000, "the acknowledgement", () => messages.length > 0);
  return { client, messages, states };
};
const typesOf = (messages: readonly ServerMessage[]): string[] => messages.map(({ type }) => type);
const refusalOf = async (port: number, headers: Record<string, string>): Promise<string> => {
  const client = await openRaw(port, headers);
  client.end();
  return client.received().split("\r\n", 1)[0] ?? "";
};

/** An edge that says what the test has it say; `asked` are the cursors that it was asked to resume after. */
const scripted = (script: (socket: Bun.ServerWebSocket<undefined>, connection: number, after: string | null) => void) => {
  const asked: string[] = [];
  let connections = 0;
  const server = Bun.serve<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no", { status: 400 })),
    websocket: {
      open: (socket) => script(socket, ++connections, null),
      message(socket, text) {
        const { type, data } = JSON.parse(String(text));
        if (type !== "resume") return;
        asked.push(data.after);
        script(socket, connections, data.after);
      },
    },
  });
  closers.push(() => server.stop(true));
  return { port: server.port ?? 0, asked };
};
const frame = (type: string, data: object): string => JSON.stringify({ type, data });
const event = (id: string, cursor: string): string => frame("risk_update", { ...aRiskUpdate(1), id, cursor });

describe("a client that resumes", () => {
  test("asks again for what it had not been sent, although later events have come", async () => {
    const { port, asked } = scripted((socket, connection, after) => {
      if (after === null) socket.send(frame("connection_ack", { message: "", version: "", cursor: "1.0" }));
      if (connection === 1) socket.send(event("a", "1.1"));
      if (connection === 2) socket.send(event("c", "1.3"));
      if (connection < 3 && (connection === 1 || after !== null)) socket.close();
      if (connection === 3 && after !== null) {
        for (const each of [event("b", "1.2"), event("c", "1.3"), frame("resumed", { cursor: "1.3", more: false })])
          socket.send(each);
      }
    });
    const { client, messages } = await listen(port);
    await within(20_000, "the end of the resumption", () => messages.some(({ type }) => type === "resumed"));
    expect(asked).toEqual(["1.1", "1.1"]);
    expect(messages.flatMap((each) => (each.type === "risk_update" ? [each.data.id] : []))).toEqual(["a", "c", "b"]);
    expect(client.cursor()).toBe("1.3");
  });

  test("asks on while there is more", async () => {
    const { port, asked } = scripted((socket, _connection, after) => {
      if (after === null) return void socket.send(frame("connection_ack", { message: "", version: "", cursor: "1.9" }));
      socket.send(event(`after ${after}`, "1.9"));
      socket.send(frame("resumed", after === "1.1" ? { cursor: "1.5", more: true } : { cursor: "1.9", more: false }));
    });
    const { client, messages } = await listen(port, { from: "1.1" });
    await within(20_000, "two pages", () => messages.filter(({ type }) => type === "resumed").length === 2);
    expect([asked, client.cursor()]).toEqual([["1.1", "1.5"], "1.9"]);
  });

  test("asks again when the edge cannot say yet", async () => {
    const { port, asked } = scripted((socket, _connection, after) => {
      if (after === null) return void socket.send(frame("connection_ack", { message: "", version: "", cursor: "1.5" }));
      if (asked.length === 1)
        return void socket.send(frame("error", { code: "unavailable", message: "away", inReplyTo: "resume" }));
      socket.send(event("b", "1.2"));
      socket.send(frame("resumed", { cursor: "1.5", more: false }));
    });
    const { messages } = await listen(port, { from: "1.1" });
    await within(20_000, "the end of the resumption", () => messages.some(({ type }) => type === "resumed"));
    expect(asked).toEqual(["1.1", "1.1"]);
  });
});

describe("a client", () => {
  test("is acknowledged first, and then hears what happens", async () => {
    const { serving, live, bus } = await start();
    const { messages } = await listen(serving.port);
    live.detection(aDetection(1), null);
    live.status({ type: "camera_status", cameraId: 1, status: 1, message: "Online", state: "online" });
    await bus.append([asOutgoing(aRiskUpdate(1))]);
    await within(20_000, "four messages", () => messages.length >= 4);
    expect(typesOf(messages)).toEqual(["connection_ack", "detection_result", "camera_status", "risk_update"]);
  });

  test("that speaks MessagePack is told the same, pictures as bytes", async () => {
    const { serving, live, bus } = await start();
    const text = await listen(serving.port);
    const { client, messages } = await listen(serving.port, { binary: messagePack });
    client.subscribe({ frames: true });
    client.send({ type: "ping", data: {} });
    await within(20_000, "the answer", () => messages.length >= 2);
    const detection = aDetection(1);
    const { type: _, ...body } = detection;
    live.detection(detection, () => new Uint8Array([0xff, 0xd8]), encode(body));
    live.status({ type: "camera_status", cameraId: 1, status: 1, message: "Online", state: "online" });
    await bus.append([asOutgoing(aRiskUpdate(1))]);
    await within(20_000, "all messages", () => messages.length >= 5 && text.messages.length >= 4);
    const [picture] = messages.filter(({ type }) => type === "detection_result");
    expect(picture).toEqual({ type: "detection_result", data: { ...body, frame: new Uint8Array([0xff, 0xd8]) } } as never);
    const others = (heard: readonly ServerMessage[]) => heard.filter(({ type }) => !["detection_result", "pong"].includes(type));
    expect(others(messages)).toEqual(others(text.messages));
  });

  test("is told which subprotocol was taken of those it offers", async () => {
    const { serving } = await start();
    const socket = new WebSocket(`ws://127.0.0.1:${serving.port}/ws`, ["chat", messagePack.protocol]);
    closers.push(() => socket.close());
    await within(20_000, "the connection", () => socket.readyState === WebSocket.OPEN);
    expect(socket.protocol).toBe(messagePack.protocol);
  });

  test("gets an answer to what it sends", async () => {
    const { serving } = await start();
    const { client, messages } = await listen(serving.port);
    client.send({ type: "ping", data: {} });
    client.send({ type: "start_stream", data: { cameraId: 101, rtspUrl: "sim://junction" } });
    client.send({ type: "stop_stream", data: { cameraId: 101 } });
    await within(20_000, "the answers", () => messages.length >= 4);
    expect(typesOf(messages)).toEqual(["connection_ack", "pong", "camera_status", "stream_stopped"]);
  });

  test("comes back after the server restarts on its port, and misses no event", async () => {
    const first = await start();
    const { port } = first.serving;
    const { messages, states } = await listen(port);
    await first.bus.append([asOutgoing(aRiskUpdate(1))]);
    await within(20_000, "the first event", () => typesOf(messages).includes("risk_update"));
    await first.serving.stop(0);
    await within(20_000, "the loss", () => states.at(-1)?.status === "waiting");
    expect(states.at(-1)?.staleSinceMs).not.toBeNull();

    await first.bus.append([asOutgoing(aRiskUpdate(1)), asOutgoing(aRiskUpdate(2))]);
    const second = await start({ bus: first.bus }, port);
    await within(20_000, "the reconnection", () => states.at(-1)?.status === "open");
    await within(20_000, "what was missed", () => typesOf(messages).filter((type) => type === "risk_update").length === 3);
    await second.bus.append([asOutgoing(aRiskUpdate(3))]);
    await within(20_000, "what comes now", () => typesOf(messages).filter((type) => type === "risk_update").length === 4);
    const ids = messages.flatMap((message) => (message.type === "risk_update" ? [message.data.id] : []));
    expect(new Set(ids).size).toBe(4);
  });

  test("that begins with an empty cursor is told what was said last", async () => {
    const { serving, bus } = await start();
    await bus.append([asOutgoing(aRiskUpdate(1)), asOutgoing(aRiskUpdate(1))]);
    const { messages } = await listen(serving.port, { from: "" });
    await within(20_000, "both events and their end", () => messages.length >= 4);
    expect(typesOf(messages)).toEqual(["connection_ack", "risk_update", "risk_update", "resumed"]);
  });
});

describe("who may connect", () => {
  const tokens = [{ name: "eyes", token: "eye-token", role: "viewer", cameras: [2] }] as const;

  test.each([
    ["no token", {}, "401"],
    ["a wrong token", { authorization: "Bearer nope" }, "401"],
    ["a token", { authorization: "Bearer eye-token" }, "101"],
    ["a token, but a foreign page", { authorization: "Bearer eye-token", origin: "https://evil.example" }, "403"],
  ])("%s: %p", async (_what, headers, status) => {
    const { serving } = await start({ tokens });
    expect(await refusalOf(serving.port, headers)).toContain(` ${status}`);
  });

  test.each([
    ["a page of this server", (port: number) => `http://127.0.0.1:${port}`, "101"],
    ["a page of another port", () => "http://127.0.0.1:1", "403"],
    ["a sandboxed page", () => "null", "403"],
  ])("without tokens, %s", async (_what, originOf, status) => {
    const { serving } = await start();
    expect(await refusalOf(serving.port, { origin: originOf(serving.port) })).toContain(` ${status}`);
  });

  test("a token for some cameras hears only those", async () => {
    const { serving, live } = await start({ tokens });
    const { messages } = await listen(serving.port, { token: "eye-token", subscribe: {} });
    await within(20_000, "the subscription", () => live.clients() === 1);
    live.detection(aDetection(1), null);
    live.detection(aDetection(2), null);
    await within(20_000, "a result", () => messages.length >= 2);
    expect(messages.flatMap((message) => (message.type === "detection_result" ? [message.data.cameraId] : []))).toEqual([2]);
  });

  test("one client too many is closed with a reason", async () => {
    const { serving, live } = await start({ maxClients: 1 });
    await listen(serving.port);
    const { promise, resolve } = Promise.withResolvers<CloseEvent>();
    const second = new WebSocket(`ws://127.0.0.1:${serving.port}/ws`);
    second.addEventListener("close", resolve);
    expect((await promise).code).toBe(1013);
    expect(live.clients()).toBe(1);
  });
});

test("a message of more than 64 KiB ends the connection", async () => {
  const { serving } = await start();
  const { client, states } = await listen(serving.port, { reconnect: false });
  client.subscribe({ cameraIds: Array.from({ length: 40_000 }, (_, id) => id) });
  await within(20_000, "the end", () => states.at(-1)?.status === "closed");
});

test("a client that stops reading costs the others nothing, and is back when it reads again", async () => {
  const { serving, live, metrics } = await start();
  const stuck = await openRaw(serving.port);
  closers.push(() => stuck.end());
  const { messages } = await listen(serving.port);
  stuck.pause();

  const large = aDetection(1, { modelType: "x".repeat(100_000) });
  let sent = 0;
  const dropped = async (): Promise<number> =>
    (await metrics.dropped.get()).values.find(({ labels }) => labels.reason === "slow_client")?.value ?? 0;
  await within(20_000, "the slow client to be set aside", async () => {
    for (let burst = 0; burst < 5; burst++, sent++) live.detection(large, null);
    return (await dropped()) > 20;
  });
  await within(
    20_000,
    "every result at the other client",
    () => typesOf(messages).filter((type) => type === "detection_result").length === sent,
  );
  expect(stuck.isClosed()).toBe(false);

  stuck.resume();
  await within(20_000, "it to be back", async () => {
    const before = await dropped();
    live.detection(aDetection(1), null);
    return (await dropped()) === before;
  });
});
