import { expect, test } from "bun:test";
import { type ProbePorts, probe } from "../../../../actors/camera/probe.ts";
import type { ProbeResult } from "../../../../actors/camera/source.ts";
import { Fault } from "../../../../runtime/errors.ts";
import { type MediaScript, scriptedMedia } from "../../../support/scripted-media.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const ask = async (script: MediaScript, url = "rtsp://u:pw@cam/1", check?: ProbePorts["check"]) => {
  const clock = virtualClock();
  const media = scriptedMedia(script);
  let result: ProbeResult | null = null;
  void probe(url, { open: media.open, check: check ?? (async (target) => ({ kind: "rtsp", target })), clock }).then((answer) => {
    result = answer;
  });
  await clock.advance(5000);
  return { result: result as ProbeResult | null, media, clock }; // assigned in the callback above
};

test("says what the source shows, and closes it", async () => {
  const { result, media } = await ask({ info: { codec: "h264", fps: 12.5 } });
  expect(result).toEqual({ ok: true, codec: "h264", width: 64, height: 32, fps: 12.5, latencyMs: 100 });
  expect(media.closed()).toBe(1);
});

test("answers after 5 s when a source opens and shows nothing, and closes it", async () => {
  const { result, media, clock } = await ask({ fps: 0 });
  expect(result).toEqual({ ok: false, latencyMs: 5000, error: "no picture within 5 s" });
  await clock.advance(0);
  expect(media.closed()).toBe(1);
});

test("answers after 5 s when an opening hangs", async () => {
  const { result } = await ask({ failsWith: "hang" });
  expect(result?.error).toBe("no picture within 5 s");
});

test("says that nothing could be decoded", async () => {
  const { result } = await ask({ info: { codec: "h264" }, frames: 0 });
  expect(result).toEqual({ ok: false, codec: "h264", latencyMs: 0, error: "no picture could be decoded" });
});

test("tells a refusal without the password", async () => {
  const { result } = await ask({}, "rtsp://u:pw@cam/1", async (url) => {
    throw new Fault("source_refused", `${url} is refused`);
  });
  expect(result).toEqual({ ok: false, latencyMs: 0, error: "rtsp://***@cam/1 is refused" });
});

test("a simulated scene that there is not is told at once", async () => {
  const { result } = await ask({}, "sim://junction?seed=x");
  expect(result).toMatchObject({ ok: false, latencyMs: 0 });
  expect(result?.error).toContain("seed must be a whole number");
});

test("a simulated scene always works", async () => {
  const { result, media } = await ask({}, "sim://junction?seed=1");
  expect(result).toEqual({ ok: true, codec: "simulated", latencyMs: 0 });
  expect(media.opened()).toBe(0);
});
