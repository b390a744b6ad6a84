import { expect, test } from "bun:test";
import { loadConfig } from "../../../config/load.ts";
import { createTellTracks, tracksTopics } from "../../../edge/tracks.ts";
import { createCodec } from "../../../protocols/codec.ts";
import { TracksEvent, tracksEvents } from "../../../protocols/tracks.ts";
import type { Bus, Outgoing } from "../../../runtime/bus.ts";
import { Fault } from "../../../runtime/errors.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { aDetection } from "../../support/edge.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const codec = createCodec([TracksEvent]);
const tracksOn = ["bus=kafka", "kafka.tracksTopic=analytics.events"];

const setUp = async (append: Bus["append"] | null, ...set: string[]) => {
  await using dir = await tempDir();
  const { config } = loadConfig({ root: dir.path, environment: {}, set: [...tracksOn, ...set] });
  const sent: Outgoing[] = [];
  const clock = virtualClock();
  const metrics = createMetrics();
  const bus = {
    append: (records: readonly Outgoing[]) => {
      sent.push(...records);
      return append?.(records) ?? Promise.resolve([]);
    },
  } as unknown as Bus; // it only appends
  const cameras = { settings: (id: number) => (id === 1 ? { id, name: "plaza" } : null) } as never; // what is asked of it
  const tell = createTellTracks(config, { bus, clock, metrics, cameras });
  if (!tell) throw new Error("a topic is named");
  return {
    ...{ clock, tell, sent },
    events: () => sent.map(({ type, bytes }) => codec.decode(type, bytes) as TracksEvent),
    dropped: async () =>
      (await metrics.dropped.get()).values.map(({ labels, value }) => `${labels.actor} ${labels.type} ${labels.reason} ${value}`),
  };
};
const jpeg = () => new Uint8Array([1, 2, 3]);

test("a frame is told under its camera's name with its tracks, and frames are counted camera by camera", async () => {
  const { tell, sent, events } = await setUp(null);
  const first = aDetection(1);
  tell(first, jpeg);
  tell(aDetection(4), jpeg);
  tell(aDetection(1), jpeg);
  expect(events().map(({ stream, frame_id }) => [stream, frame_id])).toEqual([
    ["plaza", 0],
    ["camera-4", 0],
    ["plaza", 1],
  ]);
  expect(sent[0]).toMatchObject({ topic: tracksEvents.name, key: "plaza", id: first.messageId });
  expect(events()[0]?.tracks[0]).toEqual({ track_id: 7, class_id: 2, confidence: 0.91, bbox_xyxy: [110, 200, 300, 340] });
  expect(events()[0]).not.toHaveProperty("frame_jpeg");
});

test("a class that COCO does not have is -1, and another spelling is the same class", async () => {
  const { tell, events } = await setUp(null);
  const object = { confidence: 0.5, bbox: [0, 0, 1, 1] as [number, number, number, number], trackId: 1 };
  tell(aDetection(1, { detectedObjects: ["tram", "traffic_light", "person"].map((name) => ({ ...object, class: name })) }), null);
  expect(events()[0]?.tracks.map(({ class_id: id }) => id)).toEqual([-1, 9, 0]);
});

test("there is a picture where the preview says `bus: true`, at its rate and quality, and none without a frame", async () => {
  const set = ["cameras.preview.bus=true", "cameras.preview.maxFps=2", "cameras.preview.quality=61"];
  const { tell, events, clock } = await setUp(null, ...set);
  const qualities: number[] = [];
  const encode = (quality: number) => {
    qualities.push(quality);
    return jpeg();
  };
  for (let frame = 0; frame < 6; frame++) {
    tell(aDetection(1), encode);
    await clock.advance(250);
  }
  expect(events().map((event) => event.frame_jpeg !== undefined)).toEqual([true, false, true, false, true, false]);
  expect(qualities).toEqual([61, 61, 61]);
  tell(aDetection(1), null);
  expect(events().at(-1)).not.toHaveProperty("frame_jpeg");
});

test("a picture that cannot be made is counted, and the tracks are told all the same", async () => {
  const { tell, events, dropped } = await setUp(null, "cameras.preview.bus=true");
  tell(aDetection(1), () => {
    throw new Error("no");
  });
  expect(events()).toHaveLength(1);
  expect(await dropped()).toEqual(["tracks picture encode 1"]);
});

test("what the broker does not take is let go and counted, and so is what comes while too much waits for it", async () => {
  const away = await setUp(() => Promise.reject(new Fault("unavailable", "away")));
  away.tell(aDetection(1), null);
  await away.clock.advance(0);
  expect(await away.dropped()).toEqual(["tracks tracks.event bus_away 1"]);

  const slow = await setUp(() => new Promise(() => {}));
  for (let frame = 0; frame < 2_010; frame++) slow.tell(aDetection(1), null);
  expect(slow.sent).toHaveLength(2_000);
  expect(await slow.dropped()).toEqual(["tracks tracks.event bus_away 10"]);
});

test.each([
  ["no topic is named", ["bus=kafka"]],
  ["the bus is embedded", ["kafka.tracksTopic=analytics.events"]],
  ["nothing is seen here", [...tracksOn, "roles=scheduler"]],
])("nobody is told where %s", async (_what, set) => {
  await using dir = await tempDir();
  const { config } = loadConfig({ root: dir.path, environment: {}, set });
  expect(tracksTopics(config)).toEqual([]);
  expect(createTellTracks(config, {} as never)).toBeUndefined(); // nothing is asked of its ports
});
