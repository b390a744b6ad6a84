import { describe, expect, test } from "bun:test";
import { decode, encode } from "@msgpack/msgpack";
import type { Principal } from "../../../../edge/auth.ts";
import { createLiveHub, type Preview } from "../../../../edge/live/hub.ts";
import { wishOf } from "../../../../edge/live/wish.ts";
import { silentLog } from "../../../../runtime/log.ts";
import { createMetrics } from "../../../../runtime/metrics.ts";
import {
  aDetection,
  aRiskUpdate,
  arrayBus,
  asOutgoing,
  type FakeSocket,
  fakePublisher,
  fakeSocket,
} from "../../../support/edge.ts";
import { settlePromises, virtualClock } from "../../../support/virtual-clock.ts";

const everyone: Principal = { name: "test", role: "viewer", cameras: null, via: "open" };
const jpeg = new Uint8Array([0xff, 0xd8, 0xff, 0xd9]);

const setUp = async (preview?: Preview) => {
  const clock = virtualClock();
  const bus = arrayBus(clock);
  const sockets: FakeSocket[] = [];
  const hub = createLiveHub({
    bus,
    clock,
    log: silentLog,
    metrics: createMetrics(),
    version: "1.2.3",
    ...(preview ? { preview: () => preview } : {}),
  });
  hub.attach(fakePublisher(sockets));
  await hub.start();
  const join = (asked: Parameters<typeof wishOf>[0] = {}) => {
    const socket = fakeSocket();
    sockets.push(socket);
    const connection = hub.connect(socket, everyone);
    if (connection) hub.subscribe(connection, wishOf(asked, null));
    return socket;
  };
  let encoded = 0;
  const encode = () => {
    encoded += 1;
    return jpeg;
  };
  return { clock, bus, hub, join, encode, encodings: () => encoded };
};
const last = (socket: FakeSocket) => JSON.parse(socket.sent.at(-1) ?? "null");

test("the first message is the acknowledgement", async () => {
  const { hub, join } = await setUp();
  hub.detection(aDetection(1), null);
  const socket = join();
  expect(JSON.parse(socket.sent[0] ?? "")).toEqual({
    type: "connection_ack",
    data: { message: "WS connected (pipeline ready)", version: "1.2.3", cursor: "" },
  });
});

test("a detection result keeps every field; its type stands outside", async () => {
  const { hub, join } = await setUp();
  const socket = join();
  const detection = aDetection(1);
  hub.detection(detection, null);
  const { type, ...data } = detection;
  expect(last(socket)).toEqual({ type, data });
});

describe("pictures", () => {
  test("are made once for all clients, and only when asked for", async () => {
    const { hub, join, encode, encodings } = await setUp();
    join();
    hub.detection(aDetection(1), encode);
    expect(encodings()).toBe(0);
    const [one, other] = [join({ frames: true }), join({ frames: true, maxFps: 5 })];
    hub.detection(aDetection(1), encode);
    expect(encodings()).toBe(1);
    const wanted = `data:image/jpeg;base64,${Buffer.from(jpeg).toString("base64")}`;
    expect([last(one).data.frame, last(other).data.frame]).toEqual([wanted, wanted]);
  });

  test("keep to the camera's own rate, whatever clients ask", async () => {
    const { clock, hub, join, encode, encodings } = await setUp({ ws: true, quality: 60, maxFps: 2 });
    const socket = join({ frames: true });
    for (let frame = 0; frame < 50; frame++) {
      hub.detection(aDetection(1), encode);
      await clock.advance(100);
    }
    expect(encodings()).toBe(10);
    expect(socket.sent.filter((text) => text.includes("detection_result"))).toHaveLength(50);
  });

  test("are not made of a camera whose pictures are off", async () => {
    const { hub, join, encode, encodings } = await setUp({ ws: false, quality: 60, maxFps: 10 });
    join({ frames: true });
    hub.detection(aDetection(1), encode);
    expect(encodings()).toBe(0);
  });

  test("that cannot be made are left out; the result goes on", async () => {
    const { hub, join } = await setUp();
    const socket = join({ frames: true });
    hub.detection(aDetection(1), () => {
      throw new Error("no memory");
    });
    expect([last(socket).type, last(socket).data.frame]).toEqual(["detection_result", undefined]);
  });

  test("over HTTP wait for the next frame, then are made for five seconds more", async () => {
    const { clock, hub, encode, encodings } = await setUp();
    const asked = hub.picture(1);
    hub.detection(aDetection(1, { capturedAt: 42 }), encode);
    expect(await asked).toEqual({ jpeg, capturedAt: 42 });
    await clock.advance(4_000);
    hub.detection(aDetection(1), encode);
    await clock.advance(2_000);
    hub.detection(aDetection(1), encode);
    expect(encodings()).toBe(2);
  });

  test("of a camera that delivers nothing are refused after five seconds", async () => {
    const { clock, hub } = await setUp();
    const asked = hub.picture(1).catch((thrown) => thrown.code);
    await clock.advance(5_000);
    expect(await asked).toBe("unavailable");
    expect(clock.timers()).toBe(0);
  });

  test("are waited for by a bounded number of requests", async () => {
    const { clock, hub } = await setUp();
    const asked = Array.from({ length: 70 }, () => hub.picture(1).catch((thrown) => thrown.code));
    await clock.advance(5_000);
    const codes = await Promise.all(asked);
    expect(codes.filter((code) => code === "rate_limited")).toHaveLength(6);
  });
});

describe("the last merged result", () => {
  test("is the last detection with the last verdict", async () => {
    const { bus, hub } = await setUp();
    expect(hub.latest(1)).toBeNull();
    const detection = aDetection(1);
    hub.detection(detection, null);
    expect(hub.latest(1)?.riskAssessment).toBeNull();
    const update = aRiskUpdate(1);
    await bus.append([asOutgoing(update)]);
    await settlePromises();
    expect(hub.latest(1)).toMatchObject({
      messageId: detection.messageId,
      riskAssessment: { id: update.id, maxRiskLevel: "high" },
    });
  });

  test("is forgotten with its camera, and viewers are told", async () => {
    const { hub, join } = await setUp();
    const socket = join();
    hub.detection(aDetection(1), null);
    hub.stopped(1, "Removed");
    expect(hub.latest(1)).toBeNull();
    expect(last(socket)).toEqual({ type: "stream_stopped", data: { cameraId: 1, reason: "Removed" } });
  });
});

test("when the server stops, every client is told to go away", async () => {
  const { hub, join } = await setUp();
  const socket = join();
  await hub.stop();
  expect(socket.closed).toBe("1001 the server stops");
});

describe("the MessagePack form", () => {
  const joinBinary = (hub: Awaited<ReturnType<typeof setUp>>["hub"], asked: Parameters<typeof wishOf>[0] = {}) => {
    const socket = fakeSocket();
    const connection = hub.connect(socket, everyone, "msgpack");
    if (connection) hub.subscribe(connection, wishOf(asked, null));
    hub.attach(fakePublisher([socket]));
    return socket;
  };
  const lastOf = ({ sentBytes }: FakeSocket) =>
    decode(sentBytes.at(-1) ?? new Uint8Array([0xc0])) as { type: string; data: object };

  test("says what the JSON form says", async () => {
    const { hub, join } = await setUp();
    const text = join();
    const binary = joinBinary(hub);
    hub.attach(fakePublisher([text, binary]));
    const detection = aDetection(1);
    const { type: _, ...body } = detection;
    for (const say of [
      () => hub.detection(detection, null, encode(body)),
      () => hub.detection(aDetection(2), null),
      () => hub.status({ type: "camera_status", cameraId: 1, status: 1, message: "Online", state: "online" }),
      () => hub.stopped(1, "removed"),
    ]) {
      say();
      expect(lastOf(binary)).toEqual(last(text));
    }
    expect([text.sentBytes, binary.sent]).toEqual([[], []]);
  });

  test("events carry their cursor", async () => {
    const { hub, bus, join } = await setUp();
    const text = join();
    const binary = joinBinary(hub);
    hub.attach(fakePublisher([text, binary]));
    await bus.append([asOutgoing(aRiskUpdate(1))]);
    await settlePromises();
    expect(last(text).data.cursor).not.toBe("");
    expect(lastOf(binary)).toEqual(last(text));
  });

  test.each([
    ["as it came", true],
    ["encoded here", false],
  ])("a picture is a bin beside the fields of the body %s", async (_what, isGiven) => {
    const { hub, encode: encodeJpeg } = await setUp();
    const socket = joinBinary(hub, { frames: true });
    const detection = aDetection(1);
    const { type: _, ...body } = detection;
    hub.detection(detection, encodeJpeg, isGiven ? encode(body) : undefined);
    expect(lastOf(socket)).toEqual({ type: "detection_result", data: { ...body, frame: jpeg } });
  });
});

test("who comes later hears the last state of each camera it listens to, once", async () => {
  const { hub, join } = await setUp();
  const say = (cameraId: number, state: "online" | "stale") =>
    hub.status({ type: "camera_status", cameraId, status: state === "online" ? 1 : 0, message: state, state });
  say(1, "online");
  say(2, "online");
  say(2, "stale");
  say(3, "online");
  hub.stopped(3, "removed");
  const told = (socket: FakeSocket) =>
    socket.sent.map((text) => JSON.parse(text)).flatMap(({ type, data }) => (type === "camera_status" ? [data] : []));
  const all = join();
  expect(told(all).map(({ cameraId, state }) => `${cameraId} ${state}`)).toEqual(["1 online", "2 stale"]);

  const narrow = fakeSocket();
  const scoped = hub.connect(narrow, { ...everyone, cameras: new Set([2]) });
  if (!scoped) throw new Error("refused");
  expect(told(narrow).map(({ cameraId }) => cameraId)).toEqual([2]);
  hub.subscribe(scoped, wishOf({ types: ["risk_update"] }, null));
  hub.subscribe(scoped, wishOf({ cameraIds: [1] }, null));
  expect(told(narrow).map(({ cameraId }) => cameraId)).toEqual([2, 1]);
});
