/** Many cameras over several `eyes` processes on a real broker: who comes, dies, sleeps or goes moves what is its, and nothing else. */
import { expect, test } from "bun:test";
import { createCodec } from "../../protocols/codec.ts";
import type { DetectionResult } from "../../protocols/detection.ts";
import { topics } from "../../protocols/topics.ts";
import type { Bus } from "../../runtime/bus.ts";
import { systemClock } from "../../runtime/clock.ts";
import { startBroker } from "../support/broker.ts";
import { openTestBus } from "../support/kafka-bus.ts";
import { type LogLine, openings, startVedette, type Vedette, view } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

/** Design rule 15: what a dead process watched is watched elsewhere within so long. */
const takeOverMs = 30_000;
/** One that goes in order tells the group; what it watched need not wait for its session of 10 s to end. */
const handOverMs = 8_000;
/** On a busy machine a frame is left out now and then, and that is no restart. */
const framesLeftOutMax = 5;
const ids = Array.from({ length: 50 }, (_, index) => index + 1);
const urlOf = (id: number) => `sim://junction?seed=${id}&render=0&act=none`;
const config = `cameras:\n${ids.map((id) => `  - { id: ${id}, name: c${id}, url: "${urlOf(id)}", fps: 1 }`).join("\n")}\n`;

type Frame = Pick<DetectionResult, "cameraId" | "ownerEpoch" | "seq" | "capturedAt" | "messageId">;
/** How far each camera had come at one moment. */
type Mark = ReadonlyMap<number, { readonly epoch: number; readonly count: number }>;

/** What each camera sent, in the order of the topic; apart, what came after frames of a later owner. */
const followFrames = async (bus: Bus) => {
  const codec = createCodec(topics.detections.messages);
  const byCamera = new Map<number, Frame[]>();
  const superseded: Frame[] = [];
  await bus.ensure([topics.detections]);
  await bus.follow(topics.detections.name, "end", ({ type, bytes }) => {
    const frame = codec.decode(type, bytes) as DetectionResult; // of this topic
    const before = byCamera.get(frame.cameraId) ?? [];
    if (before.some(({ ownerEpoch }) => ownerEpoch > frame.ownerEpoch)) superseded.push(frame);
    else byCamera.set(frame.cameraId, [...before, frame]);
  });
  const of = (id: number): readonly Frame[] => byCamera.get(id) ?? [];
  const epoch = (id: number) => of(id).at(-1)?.ownerEpoch ?? -1;
  const isUnbroken = (seqs: readonly number[]) =>
    seqs.every((seq, index) => {
      const step = seq - (seqs[index - 1] ?? seq - 1);
      return step >= 1 && step <= 1 + framesLeftOutMax;
    });
  return {
    superseded,
    of,
    mark: (): Mark => new Map(ids.map((id) => [id, { epoch: epoch(id), count: of(id).length }])),
    movedSince: (mark: Mark) => ids.filter((id) => epoch(id) !== mark.get(id)?.epoch),
    /** Resolves when each of them sent a frame of a later owner; answers how long that took. */
    async untilTakenOver(taken: readonly number[], since: Mark, limitMs: number) {
      const fromMs = systemClock.monotonicMs();
      const isTaken = (id: number) => epoch(id) > (since.get(id)?.epoch ?? -1);
      await within(limitMs, "a frame of each camera by a later owner", () => taken.every(isTaken));
      return systemClock.monotonicMs() - fromMs;
    },
    /** Those of cameras that stayed whose frames since the mark are not of one unbroken line. */
    interruptedSince: (mark: Mark, stayed: readonly number[]) =>
      stayed.filter((id) => {
        const { epoch, count = 0 } = mark.get(id) ?? {};
        const since = of(id).slice(Math.max(0, count - 1));
        return since.some(({ ownerEpoch }) => ownerEpoch !== epoch) || !isUnbroken(since.map(({ seq }) => seq));
      }),
  };
};

const opened = (it: Vedette): number[] => openings(it).map(({ id }) => id);
const placings = (it: Vedette): LogLine[] => it.lines.filter(({ event }) => event === "cameras.placed");
const sorted = (given: Iterable<number>): number[] => [...given].toSorted((one, other) => one - other);
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

test("fifty cameras over eyes that come, die, sleep and go: only what must move is begun anew, and all of it within 30 s", async () => {
  await using broker = await startBroker();
  const bus = openTestBus(broker.address);
  const frames = await followFrames(bus);
  const start = (roles: string) =>
    startVedette({ config, set: ["bus=kafka", `kafka.bootstrapServers=${broker.address}`], args: ["--roles", roles] });
  await using nodes = new AsyncDisposableStack();
  const started = await Promise.all([start("edge,task-generator,scheduler,aggregator"), start("eyes"), start("eyes")]);
  const [edge, first, second] = started;
  for (const each of started) nodes.use(each);
  using viewer = view(edge.url);

  /** Each camera runs at one of these, was opened there last, and has sent a frame since. */
  const untilPlaced = (...eyes: readonly Vedette[]) =>
    within(takeOverMs, "each camera to be placed once, and to send", () => {
      const owners = new Map<number, { readonly it: Vedette; readonly epoch: number }>();
      for (const it of eyes)
        for (const { id, epoch } of openings(it)) if (epoch > (owners.get(id)?.epoch ?? 0)) owners.set(id, { it, epoch });
      const openAt = (it: Vedette) => [...owners.values()].filter((owner) => owner.it === it).length;
      return (
        eyes.every((it) => openAt(it) > 0 && openAt(it) === placings(it).at(-1)?.running) &&
        ids.every((id) => frames.of(id).at(-1)?.ownerEpoch === owners.get(id)?.epoch)
      );
    });
  const report: string[] = [];

  // A third comes to two.
  await untilPlaced(first, second);
  const ofTwo = frames.mark();
  const openedByTwo = [opened(first), opened(second)];
  const third = nodes.use(await start("eyes"));
  await untilPlaced(first, second, third);
  const came = sorted(opened(third));
  expect(frames.movedSince(ofTwo)).toEqual(came);
  expect(came.length).toBeLessThan(ids.length / 2);
  expect([opened(first), opened(second)]).toEqual(openedByTwo);
  const stayed = ids.filter((id) => !came.includes(id));
  expect(frames.interruptedSince(ofTwo, stayed)).toEqual([]);
  report.push(`a third came: ${came.length} of ${ids.length} cameras moved`);

  // One dies and one sleeps; the one that is left goes on with its own and takes theirs.
  const ofThree = frames.mark();
  const lost = Number(placings(second).at(-1)?.running) + came.length;
  const openedBefore = opened(first).length;
  second.kill("SIGKILL");
  third.kill("SIGSTOP");
  const fromMs = systemClock.monotonicMs();
  await within(takeOverMs, "as many cameras as were lost", () => opened(first).length >= openedBefore + lost);
  const taken = sorted(opened(first).slice(openedBefore));
  await frames.untilTakenOver(taken, ofThree, takeOverMs);
  const tookMs = systemClock.monotonicMs() - fromMs;
  expect(tookMs).toBeLessThan(takeOverMs);
  await untilPlaced(first);
  expect(frames.movedSince(ofThree)).toEqual(taken);
  expect(
    frames.interruptedSince(
      ofThree,
      ids.filter((id) => !taken.includes(id)),
    ),
  ).toEqual([]);
  report.push(`one died and one slept: ${taken.length} cameras delivered elsewhere after ${seconds(tookMs)}`);

  // The one that slept wakes, and sends until it hears that it was passed over.
  const placingsBefore = placings(third).length;
  // Not those of the start: of an owner from before it listened the edge cannot know.
  const supersededBefore = frames.superseded.length;
  third.kill("SIGCONT");
  await within(takeOverMs, "the third to be a member again", () => placings(third).length > placingsBefore);
  await untilPlaced(first, third);
  const back = sorted(opened(third).slice(came.length));
  const late = frames.superseded.slice(supersededBefore);
  report.push(`it woke: ${late.length} frames of an earlier owner came late, ${back.length} cameras moved to it`);
  const shown = new Set(viewer.messages.flatMap(({ type, data }) => (type === "detection_result" ? data.messageId : [])));
  expect(late.length).toBeGreaterThan(0);
  expect(late.filter(({ messageId }) => shown.has(messageId)).map(({ messageId }) => messageId)).toEqual([]);

  // A camera that is added anywhere starts at its owner.
  const body = JSON.stringify({ id: 77, name: "added", url: urlOf(77), fps: 1 });
  const headers = { "content-type": "application/json" };
  expect((await fetch(`${edge.url}/api/cameras`, { method: "POST", body, headers })).status).toBe(201);
  await viewer.message("detection_result", ({ cameraId }) => cameraId === 77, takeOverMs);
  expect([...opened(first), ...opened(third)].filter((id) => id === 77)).toHaveLength(1);

  // One goes in order.
  const ofLast = frames.mark();
  third.kill("SIGTERM");
  const gapMs = await frames.untilTakenOver(back, ofLast, handOverMs);
  report.push(`one went in order: ${back.length} cameras delivered elsewhere after ${seconds(gapMs)}`);
  expect(await third.exited).toBe(0);
  process.stdout.write(`${report.join("\n")}\n`);
  await bus.close();
}, 180_000);
