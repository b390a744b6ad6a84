/**
 * One scene, three ways to run the system: one process on the embedded log, one on Kafka, a process a role on Kafka (in JSON).
 * Frame by frame they must see the same groups and come to the same verdicts; ids and times differ.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { originalForm } from "../../edge/storage/original.ts";
import { createCodec } from "../../protocols/codec.ts";
import type { DetectionResult } from "../../protocols/detection.ts";
import type { TopicDefinition } from "../../protocols/topic.ts";
import { topics } from "../../protocols/topics.ts";
import type { RiskUpdate } from "../../protocols/verdict.ts";
import type { Bus } from "../../runtime/bus.ts";
import { openSqliteBus } from "../../runtime/bus-sqlite.ts";
import { systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { recentMessages } from "../../runtime/recent.ts";
import { startBroker } from "../support/broker.ts";
import { openTestBus } from "../support/kafka-bus.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startVedette, type Vedette, view } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

const periodMs = 1_000;
/** Within these the first acts of both scenes take place. */
const framesWanted = 9;
/** Every group that is a candidate is asked about in every frame: a cooldown would depend on the moment of capture. */
const config = "cameras: []\ntasks: { cooldownMs: 0 }\n";
const cameras = [
  { id: 1, name: "a", url: "sim://junction?seed=4&act=near-miss&render=0", fps: 1_000 / periodMs, hazard: "near-miss" },
  { id: 2, name: "b", url: "sim://junction?seed=4&act=tailgating&render=0", fps: 1_000 / periodMs, hazard: "tailgating" },
];
const cameraIds = cameras.map(({ id }) => id);
/** A frame is left out where the processor is not to be had for a second: then the scene is played again. */
const tries = 3;
const names = Object.values(topics).map(({ name }) => name);
const definitions: readonly TopicDefinition<never>[] = Object.values(topics);
const codec = createCodec(definitions.flatMap(({ messages }) => messages));

type Verdicts = { readonly results: readonly object[] };
type Frame = { readonly index: number; readonly seen: unknown; readonly verdicts: Verdicts | undefined };
type Run = ReadonlyMap<number, readonly Frame[]>;

/** What was seen and said of each frame of a camera, by the frame's place in the scene. */
const readRun = async (bus: Bus): Promise<Run> => {
  const [frames, told] = await Promise.all([
    recentMessages<DetectionResult>(bus, codec, topics.detections, 0),
    recentMessages(bus, codec, topics.incidents, 0),
  ]);
  const updates = new Map<string, RiskUpdate>();
  for (const each of told) if (each.type === "risk_update" && each.final) updates.set(each.messageId, each);
  const frameOf = (frame: DetectionResult, firstAt: number): Frame => {
    const { imageWidth, imageHeight, detectedObjects, maxRiskLevel, hasDangerousDriving } = frame;
    const groups = frame.trafficGroups.map(({ groupKey: _, ...group }) => group);
    const update = updates.get(frame.messageId);
    return {
      index: Math.round((frame.capturedAt - firstAt) / periodMs),
      seen: { imageWidth, imageHeight, detectedObjects, maxRiskLevel, hasDangerousDriving, groups },
      verdicts: update && {
        ...{ complete: update.complete, maxRiskLevel: update.maxRiskLevel, hasDangerousDriving: update.hasDangerousDriving },
        results: update.results.map(({ taskId: _, groupKey: __, ...verdict }) => verdict),
      },
    };
  };
  return new Map(
    cameraIds.map((cameraId) => {
      const ofCamera = frames.filter((frame) => frame.cameraId === cameraId).sort((one, other) => one.seq - other.seq);
      return [cameraId, ofCamera.map((frame) => frameOf(frame, ofCamera[0]?.capturedAt ?? 0))];
    }),
  );
};

/** Frames from the first on, as long as none was left out for want of processor time. */
const unbroken = (frames: readonly Frame[] = []): readonly Frame[] => {
  const gap = frames.findIndex(({ index }, place) => index !== place);
  return frames.slice(0, gap < 0 ? framesWanted : Math.min(gap, framesWanted));
};

const untilUnbroken = async (run: (attempt: number) => Promise<Run>): Promise<Run> => {
  for (let attempt = 1; ; attempt++) {
    const found = await run(attempt);
    if (attempt === tries || cameraIds.every((id) => unbroken(found.get(id)).length === framesWanted)) return found;
  }
};

/** Shows the scenes when the start is over. Waits until enough was seen, ends the eyes, and the rest when it has done all that they gave. */
const play = async (eyes: Vedette, edge: Vedette, others: readonly Vedette[]): Promise<void> => {
  using viewer = view(edge.url);
  await eyes.line("detector.ready");
  for (const { hazard: _, ...camera } of cameras) {
    const answer = await fetch(`${edge.url}/api/cameras`, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(camera) },
    });
    expect(answer.status).toBe(201);
  }
  const seenOf = (cameraId: number) =>
    viewer.messages.filter(({ type, data }) => type === "detection_result" && data.cameraId === cameraId).length;
  await within(60_000, "frames of each camera", () => cameraIds.every((cameraId) => seenOf(cameraId) > framesWanted));
  eyes.kill("SIGTERM");
  expect(await eyes.exited).toBe(0);
  const rest = [...others, ...(edge === eyes ? [] : [edge])];
  await within(60_000, "all records to be settled", async () => {
    for (const each of rest) {
      const text = await (await each.get("/metrics")).text();
      if ([...text.matchAll(/^kafka_consumer_lag\{.*\} (\d+)$/gm)].some(([, lag]) => lag !== "0")) return false;
    }
    return true;
  });
  for (const each of rest) each.kill("SIGTERM");
  expect(await Promise.all(rest.map((each) => each.exited))).toEqual(rest.map(() => 0));
};

const embedded = async (): Promise<Run> => {
  await using directory = await tempDir();
  {
    await using it = await startVedette({ config, dataDir: directory.path });
    await play(it, it, []);
  }
  const options = { clock: systemClock, log: silentLog, maxBytes: 2 ** 30 };
  const bus = await openSqliteBus({ directory: join(directory.path, "log"), ...options });
  try {
    await bus.ensure(definitions);
    return await readRun(bus);
  } finally {
    await bus.close();
  }
};

const onKafka = async (address: string, prefix: string, format: string, roles: readonly string[]): Promise<Run> => {
  const renamed = Object.fromEntries(names.map((name) => [name, { name: `${prefix}-${name}`, partitions: 4 }]));
  const set = [
    ...["bus=kafka", `kafka.bootstrapServers=${address}`, `kafka.format=${format}`],
    ...names.flatMap((name) => [`kafka.topics.${name}.name=${prefix}-${name}`, `kafka.topics.${name}.partitions=4`]),
  ];
  await using stack = new AsyncDisposableStack();
  const started = await Promise.all(roles.map((role) => startVedette({ config, set, args: ["--roles", role] })));
  for (const each of started) stack.use(each);
  const [eyes, ...others] = started;
  const edge = others.pop() ?? eyes;
  if (!eyes || !edge) throw new Error("there are roles");
  await play(eyes, edge, others);
  const bus = openTestBus(address, { topics: renamed, reads: [originalForm({ deadlineMs: 10_000 })] });
  stack.defer(() => bus.close());
  await bus.ensure(definitions);
  return await readRun(bus);
};

test("embedded, on Kafka, and with its roles apart in JSON it comes to equal groups, hazards and verdicts", async () => {
  await using broker = await startBroker();
  const apart = ["eyes", "task-generator", "scheduler", "aggregator,edge"];
  const whole = (attempt: number) => onKafka(broker.address, `whole${attempt}`, "msgpack", ["all"]);
  // One after the other on the broker: their groups have the same names.
  const runs = [
    ...(await Promise.all([untilUnbroken(embedded), untilUnbroken(whole)])),
    await untilUnbroken((attempt) => onKafka(broker.address, `apart${attempt}`, "json", apart)),
  ];
  for (const { id, hazard } of cameras) {
    const [first, ...others] = runs.map((run) => unbroken(run.get(id)));
    expect(first).toHaveLength(framesWanted);
    for (const frames of others) expect(frames).toEqual(first ?? []);
    // Something was to be seen, and to be said of it.
    const said = first?.flatMap(({ verdicts }) => verdicts?.results ?? []) ?? [];
    expect(said).toContainEqual(expect.objectContaining({ status: "ok", verdict: "confirmed", riskTypes: [hazard] }));
    expect(said).toContainEqual(expect.objectContaining({ status: "ok", verdict: "rejected", riskLevel: "none" }));
  }
}, 240_000);
