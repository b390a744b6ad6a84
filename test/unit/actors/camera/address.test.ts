import { describe, expect, test } from "bun:test";
import {
  type AddressPolicy,
  type AddressPorts,
  checkAddress,
  createAddressCheck,
  maskUrl,
} from "../../../../actors/camera/address.ts";
import { Fault } from "../../../../runtime/errors.ts";

const open: AddressPolicy = { mediaDirs: ["/media"], allowLoopback: false, allowHosts: [] };
const names: Record<string, readonly string[]> = {
  "cam.example": ["10.0.0.7"],
  "inside.example": ["10.0.0.7", "127.0.0.1"],
  "cloud.example": ["169.254.169.254"],
  localhost: ["::1", "127.0.0.1"],
};
const files: Record<string, { path: string; isFile: boolean }> = {
  "/media": { path: "/media", isFile: false },
  "/media/a.avi": { path: "/media/a.avi", isFile: true },
  "/media/50%.avi": { path: "/media/50%.avi", isFile: true },
  "/media/out.avi": { path: "/etc/secret", isFile: true },
  "/media/pipe": { path: "/media/pipe", isFile: false },
};
const ports: AddressPorts = {
  lookup: async (host) => names[host] ?? Promise.reject(new Error("ENOTFOUND")),
  realpath: async (path) => files[path] ?? null,
};

/** What is opened, or the code and text of the refusal. */
const outcome = (url: string, policy: AddressPolicy = open): Promise<string> =>
  checkAddress(url, policy, ports).then(
    ({ kind, target }) => `${kind} ${target}`,
    (thrown) => (thrown instanceof Fault ? `${thrown.code}: ${thrown.message}` : `threw ${thrown}`),
  );

describe("hosts", () => {
  const loopback = "is a loopback address and the server is open to others; add it to cameras.allowHosts";
  const local = "a link-local or metadata address; add that address to cameras.allowHosts";
  const rows: [string, string, string][] = [
    ["an ordinary host", "rtsp://cam.example/1", "rtsp rtsp://cam.example/1"],
    ["a private address", "rtsp://user:pw@192.168.1.20:554/ch1", "rtsp rtsp://user:pw@192.168.1.20:554/ch1"],
    ["a benchmark address is ordinary", "http://198.18.0.1/x", "http http://198.18.0.1/x"],
    ["rtmp", "rtmp://cam.example/live/x", "rtmp rtmp://cam.example/live/x"],
    ["loopback", "rtsp://127.0.0.1/x", loopback],
    ["loopback by name", "rtsp://localhost/x", loopback],
    ["a name of which one address is loopback", "rtsp://inside.example/x", loopback],
    ["loopback in hexadecimal", "rtsp://0x7f000001/x", loopback],
    ["loopback in short form", "rtsp://127.1/x", loopback],
    ["loopback as one number", "http://2130706433/x", loopback],
    ["the unspecified address, which connects to loopback", "rtsp://0.0.0.0/x", loopback],
    ["loopback over IPv6", "rtsp://[::1]/x", loopback],
    ["loopback mapped into IPv6", "rtsp://[::ffff:127.0.0.1]/x", loopback],
    ["link-local", "http://169.254.10.1/x", local],
    ["metadata by name", "http://cloud.example/x", local],
    ["metadata mapped into IPv6", "http://[::ffff:a9fe:a9fe]/x", local],
    ["link-local over IPv6", "rtsp://[fe80::1]/x", local],
    ["multicast", "rtsp://239.0.0.1/x", local],
    ["an unknown host may come later", "rtsp://nobody.example/x", "unavailable: host nobody.example is not known"],
    ["no host", "rtsp:///x", "source_refused: rtsp:///x: not a valid address with a host"],
    [
      "an unknown scheme",
      "ftp://cam.example/x",
      "scheme ftp: is not known; one of file: rtsp: rtsps: rtmp: rtmps: http: https: sim:",
    ],
    ["a scheme of FFmpeg's own", "concat:a|b", "scheme concat: is not known"],
    ["no scheme", "/etc/passwd", "the scheme is missing"],
    ["a broken address", "rtsp://[::1", "not a valid address"],
  ];
  test.each(rows)("%s", async (_, url, expected) => {
    expect(await outcome(url)).toContain(expected);
  });

  const widened: [string, Partial<AddressPolicy>, string, string][] = [
    ["a server bound to loopback lets loopback in", { allowLoopback: true }, "rtsp://127.0.0.1/x", "rtsp rtsp://127.0.0.1/x"],
    ["but not link-local", { allowLoopback: true }, "rtsp://169.254.1.1/x", "link-local"],
    ["a listed name may be loopback", { allowHosts: ["LocalHost"] }, "rtsp://localhost/x", "rtsp rtsp://localhost/x"],
    [
      "a listed address may be loopback",
      { allowHosts: ["127.0.0.1"] },
      "rtsp://127.0.0.1:8554/x",
      "rtsp rtsp://127.0.0.1:8554/x",
    ],
    [
      "a listed link-local address is meant",
      { allowHosts: ["169.254.1.1"] },
      "rtsp://169.254.1.1/x",
      "rtsp rtsp://169.254.1.1/x",
    ],
    [
      "a listed name that turns out to be metadata is not",
      { allowHosts: ["cloud.example"] },
      "http://cloud.example/",
      "link-local",
    ],
  ];
  test.each(widened)("%s", async (_, policy, url, expected) => {
    expect(await outcome(url, { ...open, ...policy })).toContain(expected);
  });
});

describe("files", () => {
  const outside = " is not below /media; add its directory to cameras.mediaDirs";
  const rows: [string, string, string][] = [
    ["a path below an allowed directory", "file:/media/a.avi", "file /media/a.avi"],
    ["a file URL", "file:///media/a.avi", "file /media/a.avi"],
    ["a file URL with an escape", "file:///media/50%25.avi", "file /media/50%.avi"],
    ["a plain path is not unescaped", "file:/media/50%.avi", "file /media/50%.avi"],
    ["another directory", "file:/etc/passwd", outside],
    ["a way out", "file:/media/../etc/passwd", outside],
    ["a way out in escapes", "file:///media/%2e%2e/etc/passwd", outside],
    ["a link that leads out", "file:/media/out.avi", outside],
    ["the directory itself", "file:/media", outside],
    ["a directory of a similar name", "file:/media2/a.avi", outside],
    ["a relative path elsewhere", "file:a.avi", outside],
    ["a pipe", "file:/media/pipe", "not a regular file"],
    ["a file that may yet come", "file:/media/b.avi", "not_found: there is no file /media/b.avi"],
    ["a host in a file URL", "file://server/media/a.avi", "a file is written file:relative/path"],
    ["nothing", "file:", "a file is written file:relative/path"],
    ["a zero byte", "file:/media/a.avi\0.txt", "a file is written file:relative/path"],
    ["an escaped zero byte", "file:/media/a.avi%00.txt", "a file is written file:relative/path"],
    ["an escaped zero byte in a file URL", "file:///media/a.avi%00.txt", "a file is written file:relative/path"],
  ];
  test.each(rows)("%s", async (_, url, expected) => {
    expect(await outcome(url)).toContain(expected);
  });
});

describe("admission", () => {
  const { admit } = createAddressCheck(open, ports);
  test("lets pass what may yet come, and simulated scenes", async () => {
    for (const url of ["sim://junction?seed=1", "rtsp://nobody.example/x", "file:/media/b.avi"]) await admit(url);
  });
  test("rejects what never will", async () => {
    await expect(admit("rtsp://127.0.0.1/x")).rejects.toThrow("loopback");
    await expect(admit("sim://elsewhere?seed=1")).rejects.toMatchObject({ code: "source_refused" });
    await expect(admit("sim://junction?seed=x")).rejects.toMatchObject({ code: "source_refused" });
  });
});

test.each([
  ["rtsp://admin:geheim@cam/1", "rtsp://***@cam/1"],
  ["rtsp://admin:ge@heim@cam/1", "rtsp://***@cam/1"],
  ["rtsp://admin:ge/heim@cam/1", "rtsp://***@cam/1"],
  ["rtsp://cam:554/1@2", "rtsp://cam:554/1@2"],
  ["http://cam/v?user=a&password=b&fps=5#x", "http://cam/v?user=***&password=***&fps=5#x"],
  ["http://cam/v?access_token=abc", "http://cam/v?access_token=***"],
  ["could not open rtsp://a:b@c/d or http://e:f@g/h", "could not open rtsp://***@c/d or http://***@g/h"],
  ["no address at all", "no address at all"],
])("masks %p", (url, masked) => {
  expect(maskUrl(url)).toBe(masked);
});

test("a refusal does not tell the password", async () => {
  expect(await outcome("rtsp://admin:geheim@127.0.0.1/x")).not.toContain("geheim");
});
