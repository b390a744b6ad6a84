import { describe, expect, test } from "bun:test";
import type { Principal } from "../../../../edge/auth.ts";
import { createFanout, type FanoutLimits } from "../../../../edge/live/fanout.ts";
import type { Form, Wire } from "../../../../edge/live/wire.ts";
import { wishOf } from "../../../../edge/live/wish.ts";
import type { DataOfClient } from "../../../../protocols/websocket.ts";
import { silentLog } from "../../../../runtime/log.ts";
import { createMetrics } from "../../../../runtime/metrics.ts";
import { type FakeSocket, fakePublisher, fakeSocket } from "../../../support/edge.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const everyone: Principal = { name: "test", role: "viewer", cameras: null, via: "open" };
const limits: FanoutLimits = { maxClients: 3, slowBytes: 1_000, stalledBytes: 5_000, backBytes: 100, slowMaxMs: 30_000 };

const said = (text: string, made: () => void = () => {}): Wire => ({
  json() {
    made();
    return text;
  },
  msgpack() {
    made();
    return new TextEncoder().encode(text);
  },
});

const setUp = () => {
  const clock = virtualClock();
  const metrics = createMetrics();
  const sockets: FakeSocket[] = [];
  const fanout = createFanout({
    clock,
    metrics,
    log: silentLog,
    limits,
    latest: (cameraId) => said(`latest ${cameraId}`),
    cursor: () => "0.5",
    lagged: (missed, cursor) => said(`lagged ${missed} after ${cursor}`),
  });
  fanout.attach(fakePublisher(sockets));
  const join = (asked: DataOfClient<"subscribe"> = {}, form: Form = "json") => {
    const socket = fakeSocket();
    sockets.push(socket);
    const connection = fanout.connect(socket, everyone, wishOf(asked, null), form);
    if (!connection) throw new Error("refused");
    return { socket, connection };
  };
  const made: string[] = [];
  const detect = (cameraId: number, name: string) =>
    fanout.detection(cameraId, {
      boxes: said(name, () => made.push("boxes")),
      frames: said(`${name} with picture`, () => made.push("frames")),
    });
  const dropped = async (type: string, reason: string): Promise<number> => {
    const { values } = await metrics.dropped.get();
    return values
      .filter(({ labels }) => labels.type === type && labels.reason === reason)
      .reduce((sum, { value }) => sum + value, 0);
  };
  return { clock, fanout, join, detect, made, dropped, metrics };
};

describe("what a client hears", () => {
  test("nothing is made while nobody listens", () => {
    const { detect, made, join } = setUp();
    detect(1, "a");
    join({ cameraIds: [2] });
    detect(1, "b");
    expect(made).toEqual([]);
  });

  test("pictures go only to those who asked", () => {
    const { detect, join } = setUp();
    const [plain, pictures, one] = [join(), join({ frames: true }), join({ frames: [2] })];
    detect(1, "a");
    detect(2, "b");
    expect([plain.socket.sent, pictures.socket.sent, one.socket.sent]).toEqual([
      ["a", "b"],
      ["a with picture", "b with picture"],
      ["a", "b with picture"],
    ]);
  });

  test("a new wish replaces the former one", () => {
    const { fanout, detect, join } = setUp();
    const { socket, connection } = join({ cameraIds: [1] });
    fanout.subscribe(connection, wishOf({ cameraIds: [2] }, null));
    detect(1, "a");
    detect(2, "b");
    expect(socket.sent).toEqual(["b"]);
  });

  test("maxFps keeps the average of each camera", async () => {
    const { clock, detect, join } = setUp();
    const { socket } = join({ maxFps: 2 });
    for (let frame = 0; frame < 100; frame++) {
      detect(1, "a");
      detect(2, "b");
      await clock.advance(100); // 10 frames a second for 10 s
    }
    expect(socket.sent.filter((text) => text === "a").length).toBe(20);
    expect(socket.sent.filter((text) => text === "b").length).toBe(20);
  });

  test("a rate below the limit is not thinned, although frames waver", async () => {
    const { clock, detect, join } = setUp();
    const { socket } = join({ maxFps: 2 });
    for (let frame = 0; frame < 20; frame++) {
      detect(1, "a");
      await clock.advance(frame % 2 === 0 ? 480 : 520);
    }
    expect(socket.sent).toHaveLength(20);
  });

  test("each hears the form that it speaks, and none is made that nobody speaks", () => {
    const { fanout, detect, join, made } = setUp();
    const binary = join({ cameraIds: [1] }, "msgpack");
    detect(1, "a");
    fanout.event(
      "risk_update",
      1,
      said("risk", () => made.push("risk")),
    );
    expect(made).toEqual(["boxes", "risk"]);
    const text = join();
    detect(1, "b");
    const heard = binary.socket.sentBytes.map((bytes) => new TextDecoder().decode(bytes));
    expect([heard, binary.socket.sent]).toEqual([["a", "risk", "b"], []]);
    expect([text.socket.sent, text.socket.sentBytes]).toEqual([["b"], []]);
  });

  test("more clients than allowed are refused", () => {
    const { fanout, join } = setUp();
    join();
    join();
    const { connection } = join();
    expect(fanout.connect(fakeSocket(), everyone, wishOf({}, null), "json")).toBeNull();
    fanout.disconnect(connection);
    expect(fanout.clients()).toBe(2);
    join();
  });

  test("after the last client no timer is left", async () => {
    const { clock, fanout, join } = setUp();
    fanout.disconnect(join().connection);
    expect(clock.timers()).toBe(0);
  });
});

describe("a client that reads too slowly", () => {
  test("gets no more detection results, but goes on hearing events", async () => {
    const { clock, fanout, detect, join, dropped } = setUp();
    const [slow, other] = [join(), join()];
    slow.socket.buffered = 2_000;
    await clock.advance(100);
    detect(1, "a");
    fanout.event("risk_update", 1, said("risk"));
    expect([slow.socket.sent, other.socket.sent]).toEqual([["risk"], ["a", "risk"]]);
    expect(await dropped("detection_result", "slow_client")).toBe(1);
  });

  test("is sent the latest of each camera it skipped, once it has caught up", async () => {
    const { clock, detect, join } = setUp();
    const { socket } = join();
    socket.buffered = 2_000;
    await clock.advance(100);
    detect(1, "a");
    detect(1, "b");
    detect(2, "c");
    socket.buffered = 50;
    await clock.advance(100);
    detect(1, "d");
    expect(socket.sent).toEqual(["latest 1", "latest 2", "d"]);
  });

  test("is back at once when its buffer drains", async () => {
    const { clock, fanout, detect, join } = setUp();
    const { socket, connection } = join();
    socket.buffered = 2_000;
    await clock.advance(100);
    socket.buffered = 0;
    fanout.drained(connection);
    detect(1, "a");
    expect(socket.sent).toEqual(["a"]);
  });

  test("is told how many events it missed and where to resume, when even those did not fit", async () => {
    const { clock, fanout, join, dropped } = setUp();
    const { socket } = join();
    socket.buffered = 6_000;
    await clock.advance(100);
    fanout.event("risk_update", 1, said("one"));
    fanout.event("risk_update", 1, said("two"));
    socket.buffered = 0;
    await clock.advance(100);
    fanout.event("risk_update", 1, said("three"));
    expect(socket.sent).toEqual(["lagged 2 after 0.5", "three"]);
    expect(await dropped("risk_update", "stalled_client")).toBe(2);
  });

  test("does not count events it did not want", async () => {
    const { clock, fanout, join } = setUp();
    const { socket } = join({ cameraIds: [7] });
    socket.buffered = 6_000;
    await clock.advance(100);
    fanout.event("risk_update", 1, said("one"));
    socket.buffered = 0;
    await clock.advance(100);
    expect(socket.sent).toEqual([]);
  });

  test("is let go after half a minute, and counted", async () => {
    const { clock, join, dropped } = setUp();
    const [stuck, other] = [join(), join()];
    stuck.socket.buffered = 2_000;
    await clock.advance(29_000);
    expect(stuck.socket.closed).toBeNull();
    await clock.advance(1_500);
    expect([stuck.socket.closed, other.socket.closed]).toEqual(["terminated", null]);
    expect(await dropped("client", "stalled")).toBeGreaterThan(0);
  });
});
