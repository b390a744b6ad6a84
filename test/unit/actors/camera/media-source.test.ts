import { describe, expect, test } from "bun:test";
import { createMediaSource, type MediaSourceOptions } from "../../../../actors/camera/media-source.ts";
import type { SourceFrame } from "../../../../actors/camera/source.ts";
import type { CameraSettings } from "../../../../protocols/camera.ts";
import { Fault } from "../../../../runtime/errors.ts";
import { createFramePool, type Lease } from "../../../../runtime/frame-pool.ts";
import { silentLog } from "../../../../runtime/log.ts";
import { seededRandom } from "../../../../runtime/random.ts";
import { type MediaScript, scriptedMedia } from "../../../support/scripted-media.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

type Extras = { settings?: Partial<CameraSettings>; options?: Partial<MediaSourceOptions>; slots?: number; keeps?: boolean };

const start = (scripts: MediaScript[], { settings = {}, options = {}, slots = 2, keeps = false }: Extras = {}) => {
  const clock = virtualClock();
  const media = scriptedMedia(...scripts);
  const frames = createFramePool({ slots, pictureBytes: 64 * 32 * 3, inputBytes: 48, inputSize: 4 });
  const seen: SourceFrame[] = [];
  const leases: Lease[] = [];
  const states: string[] = [];
  const drops: string[] = [];
  const open = createMediaSource({ open: media.open, check: async (url) => ({ kind: "rtsp", target: url }), ...options });
  const source = open(
    { id: 1, name: "gate", url: "rtsp://cam/1", fps: 2, loop: false, enabled: true, ...settings },
    { frames, clock, random: seededRandom(9), log: silentLog },
    {
      frame(frame, lease) {
        seen.push(frame);
        if (keeps) leases.push(lease);
        else frames.release(lease);
      },
      state: (state, reason) => void states.push(reason ? `${state}: ${reason}` : state),
      dropped: (reason) => void drops.push(reason),
    },
  );
  return { clock, media, frames, seen, states, drops, source };
};

describe("states", () => {
  test("nothing is said before the opening call has returned", async () => {
    const { clock, states } = start([{}]);
    expect(states).toEqual([]);
    await clock.advance(150);
    expect(states).toEqual(["connecting: opening the source", "online: script video"]);
  });

  test("a stall is stale after 2 s, offline after 10 s, and online again by itself", async () => {
    const { clock, states, media } = start([{ stallAfter: 10 }, {}]);
    await clock.advance(1000 + 1900);
    expect(states.at(-1)).toBe("online: script video");
    await clock.advance(400);
    expect(states.at(-1)).toBe("stale: no frame for 2 s");
    await clock.advance(9000);
    expect(states.slice(2)).toEqual(["stale: no frame for 2 s", "offline: no frame for 10 s", "online: script video"]);
    expect(media.closed()).toBe(1);
  });

  test("a slow camera has three periods", async () => {
    const { clock, states } = start([{ fps: 0.5 }], { settings: { fps: 0.5 } });
    await clock.advance(20_000);
    expect(states).toEqual(["connecting: opening the source", "online: script video"]);
  });

  test("a picture that does not change is frozen after 30 s, is not judged again, and thaws", async () => {
    const { clock, states, seen, drops } = start([{ picture: (frame) => (frame < 400 ? 5 : 6) }]);
    await clock.advance(31_000);
    expect(states.at(-1)).toBe("frozen: the picture does not change");
    const before = seen.length;
    await clock.advance(5000);
    expect(seen.length).toBe(before);
    expect(drops.filter((reason) => reason === "frozen").length).toBeGreaterThanOrEqual(10);
    await clock.advance(6000);
    expect(states.at(-1)).toBe("online: script video");
    expect(seen.length).toBeGreaterThan(before);
  });

  test("what the policy refuses is tried once", async () => {
    const check = async () => {
      throw new Fault("source_refused", "rtsp://u:pw@cam/1: not here");
    };
    const { clock, states, media } = start([{}], { options: { check } });
    await clock.advance(600_000);
    expect(states).toEqual(["connecting: opening the source", "failed: rtsp://***@cam/1: not here"]);
    expect(media.opened()).toBe(0);
  });

  test("a host that is not known is asked for again", async () => {
    let asked = 0;
    const check: MediaSourceOptions["check"] = async (url) => {
      if (asked++ < 3) throw new Fault("unavailable", "host cam is not known");
      return { kind: "rtsp", target: url };
    };
    const { clock, states } = start([{}], { options: { check } });
    await clock.advance(20_000);
    expect(states).toEqual(["connecting: opening the source", "offline: host cam is not known", "online: script video"]);
  });

  test("an opening without answer is given up, and tried again", async () => {
    const { clock, states } = start([{ failsWith: "hang" }, {}]);
    await clock.advance(12_500);
    expect(states).toEqual(["connecting: opening the source", "offline: no answer within 10 s", "online: script video"]);
  });

  test("media without a picture is offline", async () => {
    const { clock, states } = start([{ frames: 0 }]);
    await clock.advance(100);
    expect(states.at(-1)).toBe("offline: no picture could be decoded");
  });
});

describe("reconnecting", () => {
  test("100 failed openings do not end it, and none comes later than 30 s after the last", async () => {
    const { clock, states, media } = start([...new Array<MediaScript>(100).fill({ failsWith: "connection refused" }), {}]);
    await clock.advance(100 * 30_000);
    expect(media.opened()).toBeGreaterThanOrEqual(101);
    expect(states).toEqual(["connecting: opening the source", "offline: connection refused", "online: script video"]);
  });

  test("each opening is a segment of its own", async () => {
    const { clock, seen } = start([{ frames: 10 }, { frames: 10 }, {}]);
    await clock.advance(10_000);
    expect([...new Set(seen.map(({ segment }) => segment))]).toEqual([0, 1, 2]);
  });

  test("native code that never comes back is left behind, at most twice", async () => {
    const { clock, media, states } = start([{ stallAfter: 3, isDeaf: true }]);
    await clock.advance(300_000);
    expect(media.opened()).toBe(2);
    expect(states.at(-1)).toBe("offline: no frame for 10 s");
  });
});

describe("frames", () => {
  test("come at the wanted rate with the time of their arrival", async () => {
    const { clock, seen } = start([{ fps: 10 }]);
    await clock.advance(60_050);
    expect(seen.length).toBe(120);
    const first = seen[0];
    expect(first).toEqual({ capturedAt: 1_700_000_000_100, mediaTimeMs: 0, segment: 0, imageWidth: 64, imageHeight: 32 });
    expect(seen[100]?.capturedAt).toBe(1_700_000_000_100 + 50_000);
    expect(seen[100]?.mediaTimeMs).toBeCloseTo(50_000);
  });

  test("are dropped and counted when no slot is free", async () => {
    const { clock, seen, drops } = start([{}], { slots: 2, keeps: true });
    await clock.advance(3050);
    expect(seen.length).toBe(2);
    expect(drops).toEqual(["no_slot", "no_slot", "no_slot", "no_slot"]);
  });

  test("that cannot be scaled are dropped and give their slot back", async () => {
    const { clock, frames, drops, seen } = start([{ isUnscalable: true }]);
    await clock.advance(1050);
    expect(drops).toEqual(["undecodable", "undecodable"]);
    expect([seen.length, frames.stats().free]).toEqual([0, 2]);
  });
});

describe("recordings", () => {
  const file = { info: { isRecording: true, isPaced: true } };

  test("play at their own speed and stop at their end", async () => {
    const { clock, seen, states, media } = start([{ ...file, fps: 10, frames: 50 }]);
    await clock.advance(2400);
    expect(seen.map(({ mediaTimeMs }) => mediaTimeMs)).toEqual([0, 500, 1000, 1500, 2000]);
    expect(seen.map(({ capturedAt }) => capturedAt - 1_700_000_000_000)).toEqual([0, 500, 1000, 1500, 2000]);
    await clock.advance(100_000);
    expect(seen.length).toBe(10);
    expect(states.at(-1)).toBe("offline: the recording has ended");
    expect([media.opened(), media.closed()]).toEqual([1, 1]);
  });

  test("a loop opens a segment, keeps the rate and says nothing", async () => {
    const { clock, seen, states } = start([{ ...file, fps: 10, frames: 13 }], { settings: { loop: true } });
    await clock.advance(60_000);
    expect(states).toEqual(["connecting: opening the source", "online: script video"]);
    expect(Math.abs(seen.length - 120)).toBeLessThanOrEqual(1);
    const last = seen.at(-1);
    expect(last?.segment).toBeGreaterThanOrEqual(45);
    expect(seen.every(({ mediaTimeMs }) => mediaTimeMs < 1300)).toBe(true);
  });

  test("a still picture in a file is no fault", async () => {
    const { clock, states } = start([{ ...file, picture: () => 3, frames: 600 }]);
    await clock.advance(50_000);
    expect(states.at(-1)).toBe("online: script video");
  });
});

describe("closing", () => {
  test("closes the media, says nothing more and keeps no slot", async () => {
    const { clock, source, media, frames, states, seen } = start([{}]);
    await clock.advance(1000);
    const said = states.length;
    const shown = seen.length;
    const closed = source.close();
    await clock.advance(0);
    await closed;
    await clock.advance(60_000);
    expect([media.closed(), states.length, seen.length]).toEqual([1, said, shown]);
    expect(frames.stats().free).toBe(2);
    expect(clock.timers()).toBe(0);
  });

  test.each<[string, MediaScript]>([
    ["a read that hangs", { stallAfter: 1, isDeaf: true }],
    ["an opening that hangs", { failsWith: "hang" }],
  ])("does not wait longer than 2 s for %s", async (_, script) => {
    const { clock, source, frames } = start([script]);
    await clock.advance(500);
    let isClosed = false;
    void source.close().then(() => {
      isClosed = true;
    });
    await clock.advance(2000);
    expect(isClosed).toBe(true);
    expect(frames.stats().free).toBe(2);
  });

  test("ends a pause between two openings at once", async () => {
    const { clock, source } = start([{ failsWith: "connection refused" }]);
    await clock.advance(60_000);
    const closed = source.close();
    await clock.advance(0);
    await closed;
    expect(clock.timers()).toBe(0);
  });
});
