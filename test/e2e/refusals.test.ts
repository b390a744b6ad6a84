import { expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../support/temp-dir.ts";
import { runVedette, startVedette, view } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

const junction = `cameras:\n  - { id: 1, name: junction, url: "sim://junction?seed=1&render=0&fps=4" }\n`;

test("an unknown key ends the start with 78, its place, and the nearest right key", async () => {
  const { status, err } = await runVedette(["--set", "tasks.cooldwonMs=5", "--set", "data.dir=/tmp/none"]);
  expect(status).toBe(78);
  expect(err).toContain("cooldwonMs");
  expect(err).toContain("cooldownMs");
});

test("a port in use ends the start with one line that names the address and the way out", async () => {
  using taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") });
  await using dir = await tempDir();
  const { status, err } = await runVedette(["--set", `server.port=${taken.port}`, "--set", `data.dir=${dir.path}`]);
  expect(status).toBe(1);
  expect(err.trim().split("\n")).toHaveLength(1);
  expect(err).toContain(`127.0.0.1:${taken.port}`);
});

test("a text file as model ends the start with one line that names it", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "model.onnx");
  await Bun.write(path, "not a model");
  const { status, err, out } = await runVedette([
    "--set",
    `detector.model=${path}`,
    "--set",
    `data.dir=${join(dir.path, "data")}`,
    "--set",
    "server.port=0",
  ]);
  expect(status).toBe(78);
  expect(err + out).toContain("model.onnx");
});

test("bad sources, frames and bodies are answered with a code each, and nothing else suffers", async () => {
  await using dir = await tempDir();
  const text = join(dir.path, "text.avi");
  await Bun.write(text, "this is no video\n".repeat(1_000));
  await using it = await startVedette({
    config: `${junction.replace("cameras:\n", `cameras:\n  mediaDirs: [${JSON.stringify(dir.path)}]\n  list:\n  `).replace("  - {", "  - {")}`,
  });
  using viewer = view(it.url);
  await viewer.message("detection_result");

  const start = (cameraId: number, rtspUrl: string) => viewer.client.send({ type: "start_stream", data: { cameraId, rtspUrl } });
  start(11, `file:${text}`);
  await viewer.message("camera_status", ({ cameraId, state }) => cameraId === 11 && state === "offline");
  start(12, "rtsp://127.0.0.1:1/none");
  await viewer.message("camera_status", ({ cameraId, state }) => cameraId === 12 && state === "offline");
  start(13, `file:${join(dir.path, "missing.mp4")}`);
  await viewer.message("camera_status", ({ cameraId, state }) => cameraId === 13 && (state === "offline" || state === "failed"));
  start(14, "file:/etc/passwd");
  await viewer.message("error", ({ code }) => code === "source_refused");

  const socket = new WebSocket(`${it.url.replace("http", "ws")}/ws`);
  const codes: string[] = [];
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as { type: string; data: { code?: string } };
    if (message.type === "error") codes.push(String(message.data.code));
  };
  await within(20_000, "the socket", () => socket.readyState === WebSocket.OPEN);
  for (const frame of ["{", "[]", `{"type":"nonsense","data":{}}`, `{"type":"start_stream","data":{"cameraId":"x"}}`])
    socket.send(frame);
  await within(20_000, "four errors", () => codes.length === 4);
  expect(codes).toEqual([
    "bad_json",
    expect.stringMatching(/bad_json|unknown_type|invalid_field/),
    "unknown_type",
    "invalid_field",
  ]);
  socket.close();

  const post = async (body: string) => {
    const response = await fetch(`${it.url}/api/cameras`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    return [response.status, ((await response.json()) as { code: string }).code] as const;
  };
  expect(await post("{")).toEqual([400, "bad_json"]);
  expect(await post(`{"name":"x"}`)).toEqual([400, "invalid_field"]);
  expect(await post(`{"name":"x","url":"ftp://example.com/x"}`)).toEqual([400, "source_refused"]);
  expect((await it.get("/api/cameras/999")).status).toBe(404);

  const heard = viewer.messages.length;
  await within(20_000, "the junction to go on", () =>
    viewer.messages.slice(heard).some((message) => message.type === "detection_result" && message.data.cameraId === 1),
  );
  expect((await it.get("/livez")).status).toBe(200);
  expect(it.lines.filter(({ event }) => event === "actor.failed")).toEqual([]);
}, 90_000);
