import { expect, test } from "bun:test";
import { testMedia } from "../support/media.ts";
import { startVedette, view } from "../support/vedette.ts";

const clip = testMedia("media/vtest.avi");
const model = testMedia("models/yolox_nano.onnx");

test.skipIf(!clip || !model)(
  "a client of a real clip sees persons under stable ids, and a verdict for the same frame",
  async () => {
    const config = `
cameras:
  mediaDirs: [${JSON.stringify((clip ?? "").replace(/\/[^/]+$/, ""))}]
  list:
    - { id: 1, name: plaza, url: "file:${clip}", fps: 2, loop: true }
detector: { model: ${JSON.stringify(model)} }
`;
    await using it = await startVedette({ config });
    using viewer = view(it.url);
    const ack = await viewer.message("connection_ack");
    expect(ack.cursor).toBeString();
    await viewer.message("camera_status", ({ state }) => state === "online");

    const persons = (data: {
      readonly detectedObjects: readonly { readonly class: string; readonly confidence: number; readonly trackId: number }[];
    }) => data.detectedObjects.filter((each) => each.class === "person" && each.confidence >= 0.5);
    const first = await viewer.message("detection_result", (data) => persons(data).length >= 3);
    const kept = new Set(persons(first).map(({ trackId }) => trackId));
    const later = await viewer.message(
      "detection_result",
      (data) => data.capturedAt > first.capturedAt && persons(data).filter(({ trackId }) => kept.has(trackId)).length >= 2,
    );
    expect(later.cameraId).toBe(1);

    const update = await viewer.message("risk_update", ({ messageId }) =>
      viewer.messages.some((message) => message.type === "detection_result" && message.data.messageId === messageId),
    );
    expect(update.results[0]).toMatchObject({ status: "ok", assessedBy: "rules" });
  },
  120_000,
);

test("without a clip and without a model the simulated junction runs alone", async () => {
  await using it = await startVedette({
    config: `
cameras:
  - { id: 2, name: junction, url: "sim://junction?seed=7&act=near-miss" }
detector: { model: auto }
`,
    env: { NO_NETWORK: "1" },
  });
  using viewer = view(it.url);
  const detection = await viewer.message(
    "detection_result",
    ({ trafficGroups }) => trafficGroups.some(({ hazards }) => hazards.length > 0),
    40_000,
  );
  expect(detection.modelType).toBe("sim");
  expect(detection.maxRiskLevel).not.toBe("none");
  const update = await viewer.message("risk_update", ({ maxRiskLevel }) => maxRiskLevel !== "none");
  expect(update.results.some(({ verdict }) => verdict === "confirmed")).toBe(true);
}, 90_000);
