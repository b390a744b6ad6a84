import { describe, expect, test } from "bun:test";
import { decode, encode } from "@msgpack/msgpack";
import type { Principal } from "../../../../edge/auth.ts";
import { createCommands } from "../../../../edge/live/commands.ts";
import { Fault } from "../../../../runtime/errors.ts";
import { aCamera, aRiskUpdate, arrayBus, asOutgoing, fakeEdge, fakePublisher, fakeSocket } from "../../../support/edge.ts";
import { settlePromises, virtualClock } from "../../../support/virtual-clock.ts";

const operator: Principal = { name: "ops", role: "operator", cameras: null, via: "bearer" };
const viewer: Principal = { name: "eyes", role: "viewer", cameras: null, via: "bearer" };
const scoped: Principal = { name: "gate", role: "operator", cameras: new Set([5]), via: "bearer" };

const setUp = async (principal: Principal = operator, options: Parameters<typeof fakeEdge>[0] = {}) => {
  const clock = virtualClock();
  const bus = arrayBus(clock);
  const edge = await fakeEdge({ clock, bus, seeds: [aCamera(1)], ...options });
  const socket = fakeSocket();
  edge.live.attach(fakePublisher([socket]));
  const connection = edge.live.connect(socket, principal);
  if (!connection) throw new Error("refused");
  socket.sent.length = 0;
  const commands = createCommands(edge)(connection);
  const ask = async (raw: unknown) => {
    commands.receive(typeof raw === "string" ? raw : JSON.stringify(raw));
    await settlePromises();
    return socket.sent.splice(0).map((text) => JSON.parse(text));
  };
  return { ...edge, clock, bus, socket, commands, ask };
};

describe("of a client that speaks MessagePack", () => {
  const ask = async (raw: string | Uint8Array) => {
    const edge = await fakeEdge({ seeds: [aCamera(1)] });
    const socket = fakeSocket();
    const connection = edge.live.connect(socket, operator, "msgpack");
    if (!connection) throw new Error("refused");
    createCommands(edge)(connection).receive(raw);
    await settlePromises();
    expect(socket.sent).toEqual([]);
    return socket.sentBytes.slice(1).map((bytes) => decode(bytes));
  };

  test("frames are read in either form and answered in its own", async () => {
    const pong = [{ type: "pong", data: {} }];
    expect(await ask(encode({ type: "ping", data: {} }))).toEqual(pong);
    expect(await ask('{"type":"ping"}')).toEqual(pong);
  });

  test.each([
    ["bytes that are no MessagePack", new Uint8Array([0xc1]), "bad_json"],
    ["no bytes", new Uint8Array(), "bad_json"],
    ["a map that ends early", encode({ type: "ping" }).subarray(0, 4), "bad_json"],
    ["a number", encode(7), "invalid_field"],
    ["a name that every object has", encode({ type: "constructor" }), "unknown_type"],
    ["the name of the prototype", encode(JSON.parse('{"type":"ping","__proto__":{}}')), "bad_json"],
    ["a field of the wrong kind", encode({ type: "stop_stream", data: { cameraId: "1" } }), "invalid_field"],
  ])("%s are refused with a code", async (_what, raw, code) => {
    expect(await ask(raw)).toMatchObject([{ type: "error", data: { code } }]);
  });
});

test("ping is answered by pong", async () => {
  const { ask } = await setUp();
  expect(await ask({ type: "ping" })).toEqual([{ type: "pong", data: {} }]);
});

describe("what is wrong is said, with a code and the field", () => {
  test.each([
    ["text that is no JSON", "{", "bad_json", /not JSON/, undefined],
    ["JSON that is no object", "7", "invalid_field", /^type:/, undefined],
    ["an object without a type", "{}", "invalid_field", /^type:/, undefined],
    ["an unknown type", '{"type":"dance"}', "unknown_type", /"dance"/, "dance"],
    ["a name that every object has", '{"type":"constructor"}', "unknown_type", /constructor/, "constructor"],
    ["a missing field", '{"type":"start_stream","data":{"cameraId":3}}', "invalid_field", /^data\.rtspUrl:/, "start_stream"],
    [
      "a field of the wrong kind",
      '{"type":"stop_stream","data":{"cameraId":"1"}}',
      "invalid_field",
      /^data\.cameraId:/,
      "stop_stream",
    ],
    ["a negative id", '{"type":"stop_stream","data":{"cameraId":-1}}', "invalid_field", /^data\.cameraId:/, "stop_stream"],
    ["a rate out of range", '{"type":"subscribe","data":{"maxFps":0}}', "invalid_field", /^data\.maxFps:/, "subscribe"],
    ["data that is no object", '{"type":"subscribe","data":3}', "invalid_field", /^data:/, "subscribe"],
    ["a cursor of no form", '{"type":"resume","data":{"after":"3.3.3"}}', "invalid_field", /^data\.after:/, "resume"],
    ["a cursor of other characters", '{"type":"resume","data":{"after":"<x>"}}', "invalid_field", /^data\.after:/, "resume"],
    ["a stop of no camera", '{"type":"stop_stream","data":{"cameraId":44}}', "unknown_camera", /44/, "stop_stream"],
    ["a stop of a configured camera", '{"type":"stop_stream","data":{"cameraId":1}}', "conflict", /configured/, "stop_stream"],
  ])("%s", async (_what, raw, code, message, inReplyTo) => {
    const { ask } = await setUp();
    const [answer] = await ask(raw);
    expect(answer).toEqual({
      type: "error",
      data: { code, message: expect.stringMatching(message), ...(inReplyTo ? { inReplyTo } : {}) },
    });
  });

  test("bytes", async () => {
    const { commands, socket } = await setUp();
    commands.receive(new Uint8Array([1, 2]));
    expect(JSON.parse(socket.sent[0] ?? "").data.code).toBe("bad_json");
  });

  test("what went wrong inside is not told in detail", async () => {
    const { ask } = await setUp(operator, {
      probe: () => {
        throw new Error("secret path /etc/x");
      },
    });
    const [answer] = await ask({ type: "check_camera", data: { cameraId: 1, rtspUrl: "rtsp://h/" } });
    expect(answer.data).toEqual({ code: "internal", message: "internal error", inReplyTo: "check_camera" });
  });
});

describe("streams", () => {
  test("start, and the same again changes nothing", async () => {
    const { ask, fleet } = await setUp();
    const start = { type: "start_stream", data: { cameraId: 101, rtspUrl: "sim://junction" } };
    expect(await ask(start)).toEqual([
      { type: "camera_status", data: { cameraId: 101, status: 0, message: "Stream started", state: "connecting" } },
    ]);
    expect((await ask(start))[0].type).toBe("camera_status");
    expect(fleet.calls.filter((call) => call.startsWith("start 101"))).toHaveLength(1);
  });

  test("stop, and every viewer is told", async () => {
    const { ask } = await setUp();
    await ask({ type: "start_stream", data: { cameraId: 101, rtspUrl: "sim://junction" } });
    expect(await ask({ type: "stop_stream", data: { cameraId: 101 } })).toEqual([
      { type: "stream_stopped", data: { cameraId: 101, reason: "Stopped by client" } },
    ]);
  });

  test("stop is answered even to a client that does not listen for it", async () => {
    const { ask } = await setUp();
    await ask({ type: "subscribe", data: { types: ["risk_update"] } });
    await ask({ type: "start_stream", data: { cameraId: 101, rtspUrl: "sim://junction" } });
    expect((await ask({ type: "stop_stream", data: { cameraId: 101 } }))[0].type).toBe("stream_stopped");
  });

  test.each([
    ["a viewer may not start one", viewer, 101, "forbidden"],
    ["a token for other cameras cannot see it", scoped, 101, "unknown_camera"],
    ["its own camera may be started", scoped, 5, undefined],
  ])("%s", async (_what, principal, cameraId, code) => {
    const { ask } = await setUp(principal);
    const [answer] = await ask({ type: "start_stream", data: { cameraId, rtspUrl: "sim://junction" } });
    expect(answer.data.code).toBe(code);
  });

  test("a check says whether the address works", async () => {
    const good = await setUp();
    const check = { type: "check_camera", data: { cameraId: 9, rtspUrl: "rtsp://h/" } };
    expect(await good.ask(check)).toEqual([
      { type: "camera_status", data: { cameraId: 9, status: 1, message: "Online", state: "online", latencyMs: 12 } },
    ]);
    const bad = await setUp(operator, { probe: async () => ({ ok: false, latencyMs: 3, error: "refused" }) });
    expect((await bad.ask(check))[0].data).toMatchObject({ status: 0, message: "Offline: refused", state: "offline" });
    const forbidden = await setUp(operator, {
      checkAddress: () => {
        throw new Fault("source_refused", "link-local");
      },
    });
    expect((await forbidden.ask(check))[0].data.code).toBe("source_refused");
  });
});

describe("resume", () => {
  test("brings the events after the cursor that the client wants", async () => {
    const { ask, bus, socket } = await setUp();
    const updates = [aRiskUpdate(1), aRiskUpdate(2)];
    await bus.append(updates.map(asOutgoing));
    await settlePromises();
    socket.sent.length = 0;
    await ask({ type: "subscribe", data: { cameraIds: [2] } });
    const answers = await ask({ type: "resume", data: { after: "" } });
    expect(answers.map(({ type, data }) => [type, data.id ?? data])).toEqual([
      ["risk_update", updates[1]?.id],
      ["resumed", { cursor: "1.1,2.1", more: false }],
    ]);
  });
});

describe("limits", () => {
  test("more than 60 messages at once are refused, each by its name, and forgiven later", async () => {
    const { ask, commands, socket, clock } = await setUp();
    for (let count = 0; count < 100; count++) commands.receive('{"type":"ping"}');
    const types = socket.sent.splice(0).map((text) => JSON.parse(text).data.code ?? JSON.parse(text).type);
    expect([types.filter((type) => type === "pong").length, types.filter((type) => type === "rate_limited").length]).toEqual([
      60, 40,
    ]);
    expect(await ask({ type: "subscribe" })).toMatchObject([{ data: { code: "rate_limited", inReplyTo: "subscribe" } }]);
    await clock.advance(1_000);
    expect((await ask({ type: "ping" }))[0].type).toBe("pong");
  });

  test("a client that floods on is closed", async () => {
    const { commands, socket } = await setUp();
    for (let count = 0; count < 400; count++) commands.receive('{"type":"ping"}');
    expect(socket.closed).toBe("1008 too many messages");
    expect(socket.sent).toHaveLength(60 + 200);
  });

  test("a flood that is let through now and then is closed as well", async () => {
    const { commands, socket, clock } = await setUp();
    for (let tick = 0; tick < 40; tick++) {
      for (let count = 0; count < 20; count++) commands.receive('{"type":"ping"}');
      await clock.advance(50);
    }
    expect(socket.closed).toBe("1008 too many messages");
    expect(socket.sent.length).toBeLessThan(60 + 200 + 2 * 40);
  });

  test("a stop above the rate is carried out, up to sixteen at once", async () => {
    const { ask, commands, socket } = await setUp();
    await ask({ type: "start_stream", data: { cameraId: 101, rtspUrl: "sim://junction" } });
    for (let count = 0; count < 70; count++) commands.receive('{"type":"ping"}');
    socket.sent.length = 0;
    const stop = { type: "stop_stream", data: { cameraId: 101 } };
    expect((await ask(stop))[0].type).toBe("stream_stopped");
    const codes: string[] = [];
    for (let count = 0; count < 16; count++) codes.push((await ask(stop))[0].data.code);
    expect(codes).toEqual([...Array.from({ length: 15 }, () => "unknown_camera"), "rate_limited"]);
  });

  test("a stop does not wait for what is in work", async () => {
    const { ask } = await setUp(operator, { probe: () => new Promise(() => {}) });
    await ask({ type: "start_stream", data: { cameraId: 101, rtspUrl: "sim://junction" } });
    for (let count = 0; count < 4; count++) await ask({ type: "check_camera", data: { cameraId: 1, rtspUrl: "rtsp://h/" } });
    expect((await ask({ type: "stop_stream", data: { cameraId: 101 } }))[0].type).toBe("stream_stopped");
  });

  test("at most four messages of a client are in work", async () => {
    const { commands, socket } = await setUp(operator, { probe: () => new Promise(() => {}) });
    for (let count = 0; count < 5; count++) {
      commands.receive(JSON.stringify({ type: "check_camera", data: { cameraId: 1, rtspUrl: "rtsp://h/" } }));
    }
    expect(socket.sent.map((text) => JSON.parse(text).data.code)).toEqual(["rate_limited"]);
  });
});
