import { expect, test } from "bun:test";
import { isLoopback, refuseForeignHost, refuseForeignPage } from "../../../../edge/auth/origin.ts";
import type { Principal } from "../../../../edge/auth.ts";

const loopback = { host: "127.0.0.1", allowedOrigins: [] };
const open = { host: "0.0.0.0", allowedOrigins: ["https://board.example"] };
const principal = (via: Principal["via"]): Principal => ({ name: "test", role: "operator", cameras: null, via });

test.each([
  ["127.0.0.1", true],
  ["127.8.9.1", true],
  ["localhost", true],
  ["vedette.localhost", true],
  ["::1", true],
  ["[::1]", true],
  ["0.0.0.0", false],
  ["127.0.0.1.evil.example", false],
  ["localhost.evil.example", false],
  ["192.168.0.2", false],
])("%s is loopback: %p", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

test.each([
  ["a loopback server, asked by its name", "http://localhost:8080/", loopback, true],
  ["a loopback server, asked by a foreign name that resolves to it", "http://evil.example:8080/", loopback, false],
  ["a server on all addresses, asked by any name", "http://cams.example:8080/", open, true],
])("%s", (_what, url, rules, allowed) => {
  const ask = () => refuseForeignHost(new URL(url), rules);
  if (allowed) expect(ask).not.toThrow();
  else expect(ask).toThrow("loopback names only");
});

const own = "http://localhost:8080";
test.each([
  ["a program without browser headers reads", "GET", "open", {}, true],
  ["a program without browser headers writes, where no token is needed", "POST", "open", {}, true],
  ["our own page writes", "POST", "open", { origin: own, "sec-fetch-site": "same-origin" }, true],
  ["another site's page writes", "POST", "open", { origin: "https://evil.example", "sec-fetch-site": "cross-site" }, false],
  [
    "another port of this machine writes",
    "POST",
    "open",
    { origin: "http://localhost:3000", "sec-fetch-site": "same-site" },
    false,
  ],
  ["another site's page reads", "GET", "open", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, false],
  [
    "another site's link opens the board",
    "GET",
    "cookie",
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
    true,
  ],
  [
    "another site's form posts by navigation",
    "POST",
    "cookie",
    { origin: "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
    false,
  ],
  ["a cookie writes without any proof", "POST", "cookie", {}, false],
  ["a cookie writes from our page in an old browser", "DELETE", "cookie", { origin: own }, true],
  ["a sandboxed page writes", "POST", "cookie", { origin: "null" }, false],
  [
    "a bearer token writes from anywhere",
    "POST",
    "bearer",
    { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
    true,
  ],
] as const)("%s", (_what, method, via, headers, allowed) => {
  const ask = () =>
    refuseForeignPage({ method, url: new URL(`${own}/api/cameras`), headers: new Headers(headers) }, principal(via), loopback);
  if (allowed) expect(ask).not.toThrow();
  else expect(ask).toThrow();
});

test("a listed origin is as good as our own", () => {
  const headers = new Headers({ origin: "https://board.example", "sec-fetch-site": "cross-site" });
  expect(() => refuseForeignPage({ method: "POST", url: new URL(own), headers }, principal("cookie"), open)).not.toThrow();
});
