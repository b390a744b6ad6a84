import { test } from "bun:test";
import { h264Clip } from "../../tools/rtsp/h264.ts";
import { startRtspServer } from "../../tools/rtsp/server.ts";
import { testMedia } from "../support/media.ts";
import { startVedette, view } from "../support/vedette.ts";

const clip = testMedia("media/vtest.avi");
const model = testMedia("models/yolox_nano.onnx");

test.skipIf(!clip || !model)(
  "start_stream with an RTSP address detects; the server's death is told, and its return is enough",
  async () => {
    const server = await startRtspServer({ clip: await h264Clip(clip ?? ""), fps: 10 });
    using _closing = { [Symbol.dispose]: server.close };
    await using it = await startVedette({ config: `cameras: []\ndetector: { model: ${JSON.stringify(model)} }` });
    await it.line("detector.ready");
    using viewer = view(it.url);
    await viewer.message("connection_ack");
    viewer.client.send({ type: "start_stream", data: { cameraId: 7, rtspUrl: server.url } });
    await viewer.message("detection_result", ({ cameraId, detectedObjects }) => cameraId === 7 && detectedObjects.length > 0);

    server.kill();
    await viewer.message(
      "camera_status",
      ({ cameraId, status, state }) => cameraId === 7 && status === 0 && state === "offline",
      30_000,
    );
    const heard = viewer.messages.length;
    server.listen();
    const isLater = (message: unknown) => viewer.messages.indexOf(message as never) >= heard;
    await viewer.message(
      "detection_result",
      (data) => viewer.messages.some((each) => each.data === data && isLater(each)),
      40_000,
    );

    viewer.client.send({ type: "stop_stream", data: { cameraId: 7 } });
    await viewer.message("stream_stopped", ({ cameraId }) => cameraId === 7);
  },
  120_000,
);
