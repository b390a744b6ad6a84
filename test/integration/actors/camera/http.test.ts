import { expect, setDefaultTimeout, test } from "bun:test";
import { delay, systemClock } from "../../../../runtime/clock.ts";
import { encodeJpeg } from "../../../../runtime/jpeg.ts";
import { pickedRateOf, watchSource } from "../../../support/source-probe.ts";
import { within } from "../../../support/wait.ts";

setDefaultTimeout(60_000);

const jpegs = Array.from({ length: 10 }, (_, which) => {
  const picture = new Uint8Array(320 * 240 * 3).map((_byte, at) => (at * (which + 2)) % 251);
  return encodeJpeg(picture, 320, 240, 80);
});

/** Ten pictures a second, or what `answer` says. */
const serve = (answer?: (request: Request) => Response | null) =>
  Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      let count = 0;
      const given = answer?.(request);
      if (given) return given;
      const parts = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await delay(systemClock, 95, request.signal).catch(() => {});
          const jpeg = jpegs[count++ % jpegs.length] ?? new Uint8Array();
          const head = `--b\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`;
          controller.enqueue(Buffer.concat([Buffer.from(head), jpeg, Buffer.from("\r\n")]));
        },
      });
      return new Response(parts, { headers: { "content-type": "multipart/x-mixed-replace; boundary=b" } });
    },
  });

test("pictures over HTTP are a camera, and their time is the time of arrival", async () => {
  await using server = serve();
  await using source = watchSource(`http://127.0.0.1:${server.port}/video`, { settings: { fps: 5 } });
  await source.reaches("online");
  await within(20_000, "15 frames", () => source.frames.length >= 15);
  expect(pickedRateOf(source)).toBeLessThan(6.5); // of ten a second
  const [first, last] = [source.frames[0], source.frames.at(-1)];
  const mediaMs = (last?.mediaTimeMs ?? 0) - (first?.mediaTimeMs ?? 0);
  // A guess at the rate, as FFmpeg makes it, would be far from this.
  expect(mediaMs / ((last?.capturedAt ?? 0) - (first?.capturedAt ?? 0))).toBeCloseTo(1, 1);
  expect(first).toMatchObject({ imageWidth: 320, imageHeight: 240 });
});

test("a redirect is not followed, because its target was not checked", async () => {
  let followed = 0;
  await using server = serve((request) => {
    if (new URL(request.url).pathname === "/video") return Response.redirect("/elsewhere", 302);
    followed++;
    return null;
  });
  await using source = watchSource(`http://127.0.0.1:${server.port}/video`);
  await source.reaches("offline");
  expect(followed).toBe(0);
});

test("garbage is offline, not a crash", async () => {
  await using server = serve(() => new Response(new Uint8Array(100_000).map((_, at) => (at * 7919) % 256)));
  await using source = watchSource(`http://127.0.0.1:${server.port}/video`);
  expect(await source.reaches("offline")).not.toBe("");
});
