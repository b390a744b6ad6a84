import { describe, expect, test } from "bun:test";
import { encode } from "@msgpack/msgpack";
import { createApp, createHealthApp } from "../../../edge/server.ts";
import { systemClock } from "../../../runtime/clock.ts";
import { silentLog } from "../../../runtime/log.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import { aCamera, aDetection, aRiskUpdate, asOutgoing, type EdgeOptions, fakeEdge, mapStore } from "../../support/edge.ts";
import { settlePromises } from "../../support/virtual-clock.ts";

const setUp = async (options: EdgeOptions = {}) => {
  const edge = await fakeEdge({ seeds: [aCamera(1), aCamera(2)], ...options });
  const app = createApp(edge);
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await app.request(path, {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") ?? false;
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : null };
  };
  return { ...edge, ask };
};

describe("health", () => {
  test.each([
    ["everything up", { bus: { status: "up" } }, 200, "up"],
    ["something works with less", { bus: { status: "up" }, llm: { status: "degraded", detail: "no keys" } }, 200, "degraded"],
    ["something is down", { bus: { status: "down", detail: "away" }, llm: { status: "degraded" } }, 503, "down"],
  ] as const)("%s", async (_what, checks, status, said) => {
    const { ask } = await setUp({ checks });
    const answer = await ask("GET", "/readyz");
    expect([answer.status, answer.json]).toEqual([status, { status: said, checks }]);
  });

  test("the seeds' health check keeps its shape", async () => {
    const { ask } = await setUp();
    expect((await ask("GET", "/api/health/health_check")).json).toMatchObject({
      code: 200,
      msg: "OK",
      data: { status: "UP", service: "vedette", version: "0.0.0-test" },
    });
  });

  test("a process without the edge serves the same three", async () => {
    const checks = () => ({ bus: { status: "up" as const } });
    const app = createHealthApp({ checks, clock: systemClock, metrics: createMetrics(), version: "1", log: silentLog });
    const statuses = await Promise.all(
      ["/livez", "/readyz", "/metrics", "/api/cameras"].map(async (path) => (await app.request(path)).status),
    );
    expect(statuses).toEqual([200, 200, 200, 404]);
  });
});

describe("cameras", () => {
  test("live through their whole life", async () => {
    const { ask, fleet } = await setUp();
    const added = await ask("POST", "/api/cameras", { name: "gate", url: "rtsp://user:pass@h/s" });
    expect([added.status, added.headers.get("location")]).toEqual([201, "/api/cameras/3"]);
    expect(added.json).toMatchObject({
      id: 3,
      url: "rtsp://***@h/s",
      fps: 2,
      state: "connecting",
      persistent: true,
      lastFrameAt: null,
    });
    expect(added.text).not.toContain("pass@");

    const patched = await ask("PATCH", "/api/cameras/3", { fps: 5 });
    expect(patched.json.fps).toBe(5);
    expect(fleet.running.get(3)?.settings.url).toBe("rtsp://user:pass@h/s");

    expect((await ask("GET", "/api/cameras")).json.items.map(({ id }: { id: number }) => id)).toEqual([1, 2, 3]);
    expect((await ask("DELETE", "/api/cameras/3")).status).toBe(204);
    expect((await ask("GET", "/api/cameras/3")).json.code).toBe("unknown_camera");
  });

  test("are probed by their own address or by one that is given", async () => {
    const probed: string[] = [];
    const { ask } = await setUp({
      async probe(url) {
        probed.push(url);
        return { ok: true, latencyMs: 5, codec: "h264" };
      },
    });
    expect((await ask("POST", "/api/cameras/1/check")).json).toEqual({ ok: true, latencyMs: 5, codec: "h264" });
    await ask("POST", "/api/cameras/77/check", { url: "rtsp://other/" });
    expect(probed).toEqual(["sim://junction?seed=1", "rtsp://other/"]);
    expect((await ask("POST", "/api/cameras/77/check")).status).toBe(404);
  });
});

describe("what is wrong is answered by a problem document", () => {
  test.each([
    ["no such path", "GET", "/nope", undefined, 404, "not_found", undefined],
    ["an id that is no number", "GET", "/api/cameras/x", undefined, 400, "invalid_field", "id"],
    ["a negative id", "GET", "/api/cameras/-1", undefined, 400, "invalid_field", "id"],
    ["an id in other digits", "GET", "/api/cameras/0x2", undefined, 400, "invalid_field", "id"],
    ["an id with an exponent", "GET", "/api/cameras/1e0", undefined, 400, "invalid_field", "id"],
    ["an id with a space behind it", "GET", "/api/cameras/1%20", undefined, 400, "invalid_field", "id"],
    ["an id beyond exact numbers", "GET", "/api/cameras/9007199254740993", undefined, 400, "invalid_field", "id"],
    ["a name with a line break", "POST", "/api/cameras", { name: "a\nb", url: "sim://x" }, 400, "invalid_field", "name"],
    [
      "a name that turns the direction of reading",
      "POST",
      "/api/cameras",
      { name: "gnp\u202e", url: "sim://x" },
      400,
      "invalid_field",
      "name",
    ],
    ["an unknown camera", "GET", "/api/cameras/99", undefined, 404, "unknown_camera", undefined],
    ["a body that is no JSON", "POST", "/api/cameras", "{", 400, "bad_json", undefined],
    ["a body without its fields", "POST", "/api/cameras", {}, 400, "invalid_field", "name"],
    ["a misspelt field", "POST", "/api/cameras", { name: "a", url: "sim://x", ffps: 2 }, 400, "invalid_field", "ffps"],
    ["a field out of range", "POST", "/api/cameras", { name: "a", url: "sim://x", fps: 99 }, 400, "invalid_field", "fps"],
    [
      "a broken region",
      "PATCH",
      "/api/cameras/1",
      {
        roi: [
          [
            [0, 0],
            [2, 0],
            [1, 1],
          ],
        ],
      },
      400,
      "invalid_field",
      "roi.0.1.0",
    ],
    ["an id that exists", "POST", "/api/cameras", { id: 1, name: "a", url: "sim://x" }, 409, "conflict", undefined],
    ["a body of more than a mebibyte", "POST", "/api/cameras", { name: "a".repeat(1_100_000) }, 413, "too_large", undefined],
    ["a request nothing is known of", "GET", "/api/requests/abc", undefined, 404, "not_found", undefined],
    ["no result yet", "GET", "/api/cameras/1/latest", undefined, 404, "not_found", undefined],
    ["the WebSocket's path without a WebSocket", "GET", "/ws", undefined, 400, "invalid_field", undefined],
  ])("%s", async (_what, method, path, body, status, code, field) => {
    const { ask } = await setUp();
    const answer = await ask(method, path, body);
    expect([answer.status, answer.json?.code, answer.json?.field]).toEqual([status, code, field]);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.json.status).toBe(status);
  });

  test.each([
    ["as text", "PATCH", "/api/cameras/1", "text/plain"],
    ["as a form", "PATCH", "/api/cameras/1", "application/x-www-form-urlencoded"],
    ["as a form of parts", "POST", "/api/cameras", "multipart/form-data"],
    ["as nothing", "POST", "/api/cameras", ""],
    ["as text where a body may be left out", "POST", "/api/cameras/1/check", "text/plain"],
  ])("a body sent %s is the client's fault, and is not logged as the server's", async (_what, method, path, type) => {
    const errors: string[] = [];
    const edge = await fakeEdge({ seeds: [aCamera(1)] });
    const app = createApp({ ...edge, log: { ...edge.log, error: (event: string) => void errors.push(event) } });
    // A stream has no content type unless one is named.
    const body = new Blob([JSON.stringify({ enabled: true })]).stream();
    const answer = await app.request(path, { method, body, headers: type === "" ? {} : { "content-type": type } });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([400, "application/problem+json"]);
    expect(await answer.json()).toMatchObject({ code: "invalid_field", field: "content-type" });
    expect(errors).toEqual([]);
  });

  test("a content type may name its character set", async () => {
    const { ask } = await setUp();
    const type = { "content-type": "application/json; charset=utf-8" };
    expect((await ask("PATCH", "/api/cameras/1", { fps: 3 }, type)).status).toBe(200);
  });

  test.each([
    ["PUT", "/api/cameras", "GET, HEAD, POST"],
    ["POST", "/api/cameras/1", "DELETE, GET, HEAD, PATCH"],
    ["DELETE", "/livez", "GET, HEAD"],
    ["POST", "/", "GET, HEAD"],
  ])("%s at %s is not allowed, and what is stands in Allow", async (method, path, allow) => {
    const { ask } = await setUp();
    const answer = await ask(method, path);
    expect([answer.status, answer.json?.status, answer.headers.get("allow")]).toEqual([405, 405, allow]);
  });

  test("a subprotocol that is not spoken is not accepted", async () => {
    const { ask } = await setUp();
    const answer = await ask("GET", "/ws", undefined, {
      upgrade: "websocket",
      "sec-websocket-protocol": "vedette.msgpack.v2, chat",
    });
    expect([answer.status, answer.json?.field]).toEqual([400, "sec-websocket-protocol"]);
  });

  test("what went wrong inside is told without its reason", async () => {
    const { ask } = await setUp({ store: { ...mapStore(), get: () => Promise.reject(new Error("/secret/place")) } });
    const answer = await ask("GET", "/api/requests/abc");
    expect([answer.status, answer.json.code, answer.text.includes("secret")]).toEqual([500, "internal", false]);
  });
});

describe("last results", () => {
  test("one camera's, and all of them", async () => {
    const { ask, live, bus } = await setUp();
    const detection = aDetection(2);
    live.detection(detection, null);
    await bus.append([asOutgoing(aRiskUpdate(2, { messageId: detection.messageId }))]);
    await settlePromises();
    const latest = (await ask("GET", "/api/cameras/2/latest")).json;
    expect([latest.messageId, latest.type, latest.riskAssessment.maxRiskLevel]).toEqual([detection.messageId, undefined, "high"]);
    expect((await ask("GET", "/api/snapshot")).json).toEqual({ streams: [latest] });
  });

  test("a picture is the next frame", async () => {
    const { ask, live } = await setUp();
    const asked = ask("GET", "/api/cameras/1/frame.jpg");
    await settlePromises();
    live.detection(aDetection(1), () => new Uint8Array([0xff, 0xd8]));
    const answer = await asked;
    expect([answer.status, answer.headers.get("content-type"), answer.headers.get("cache-control")]).toEqual([
      200,
      "image/jpeg",
      "no-store",
    ]);
  });
});

test("a request's lineage tells the outcome of each group", async () => {
  const messageId = "018bcfe5-6800-7000-8000-00000000abcd";
  const groups = [
    { groupIndex: 1, outcome: "task", taskId: `${messageId}_group1` },
    { groupIndex: 2, outcome: "none", reason: "cooldown" },
    { groupIndex: 3, outcome: "task", taskId: `${messageId}_group3` },
  ];
  const { ask, bus } = await setUp({ store: mapStore(new Map([[`admission:${messageId}`, encode({ messageId, groups })]])) });
  await bus.append([asOutgoing(aRiskUpdate(1, { messageId, complete: false, final: false }))]);
  await settlePromises();
  const { json } = await ask("GET", `/api/requests/${messageId}`);
  expect(json.tasks).toEqual([
    { taskId: `${messageId}_group1`, outcome: "ok" },
    { taskId: `${messageId}_group2`, outcome: "none", reason: "cooldown" },
    { taskId: `${messageId}_group3`, outcome: "pending" },
  ]);
  expect(json.stages.map(({ name }: { name: string }) => name)).toEqual(["captured", "clusterer", "aggregator"]);
});

describe("tokens", () => {
  const tokens = [
    { name: "ops", token: "op-token", role: "operator" },
    { name: "eyes", token: "eye-token", role: "viewer", cameras: [2] },
    { name: "gate", token: "gate-token", role: "operator", cameras: [2] },
  ] as const;
  const server = { host: "0.0.0.0", allowedOrigins: [] };
  const ops = { authorization: "Bearer op-token" };
  const eyes = { authorization: "Bearer eye-token" };

  test.each([
    ["nobody reads cameras", "GET", "/api/cameras", {}, 401],
    ["nobody reads metrics", "GET", "/metrics", {}, 401],
    ["nobody connects", "GET", "/ws", {}, 401],
    ["a token in the query is none", "GET", "/api/cameras?token=op-token", {}, 401],
    ["anybody sees that it lives", "GET", "/livez", {}, 200],
    ["anybody sees whether it is ready", "GET", "/readyz", {}, 200],
    ["anybody reads the contract", "GET", "/openapi.json", {}, 200],
    ["a viewer reads", "GET", "/api/cameras/2", eyes, 200],
    ["a viewer does not see other cameras", "GET", "/api/cameras/1", eyes, 404],
    ["a viewer does not change", "DELETE", "/api/cameras/2", eyes, 403],
    ["a viewer does not probe", "POST", "/api/cameras/2/check", eyes, 403],
    ["an operator does not probe cameras of others", "POST", "/api/cameras/1/check", { authorization: "Bearer gate-token" }, 404],
    ["an operator changes", "DELETE", "/api/cameras/2", ops, 204],
  ])("%s", async (_what, method, path, headers, status) => {
    const { ask } = await setUp({ tokens, server });
    expect((await ask(method, path, undefined, headers)).status).toBe(status);
  });

  test("a refusal says how to come in", async () => {
    const { ask } = await setUp({ tokens, server });
    const { headers, json } = await ask("GET", "/api/cameras");
    expect([headers.get("www-authenticate"), json.code]).toEqual(["Bearer", "unauthorized"]);
  });

  test("lists hold only the cameras of the token", async () => {
    const { ask, live } = await setUp({ tokens, server });
    live.detection(aDetection(1), null);
    live.detection(aDetection(2), null);
    expect((await ask("GET", "/api/cameras", undefined, eyes)).json.items).toHaveLength(1);
    expect((await ask("GET", "/api/snapshot", undefined, eyes)).json.streams).toHaveLength(1);
    expect((await ask("GET", "/api/snapshot", undefined, ops)).json.streams).toHaveLength(2);
  });

  test("a browser gets a session for its token, and loses it by logging out", async () => {
    const { ask } = await setUp({ tokens, server });
    const own = { origin: "http://localhost", "sec-fetch-site": "same-origin" };
    expect((await ask("POST", "/api/session", { token: "wrong" }, own)).status).toBe(401);
    const login = await ask("POST", "/api/session", { token: "op-token" }, own);
    expect([login.status, login.json]).toEqual([200, { open: false, name: "ops", role: "operator" }]);
    const cookie = login.headers.get("set-cookie")?.split(";", 1)[0] ?? "";
    expect((await ask("GET", "/api/session", undefined, { cookie })).json.name).toBe("ops");
    expect((await ask("PATCH", "/api/cameras/1", { fps: 3 }, { cookie, ...own })).status).toBe(200);
    expect((await ask("PATCH", "/api/cameras/1", { fps: 3 }, { cookie })).status).toBe(403);
    expect((await ask("DELETE", "/api/session", undefined, { cookie, ...own })).headers.get("set-cookie")).toContain("Max-Age=0");
  });

  test("another site's page cannot log a browser in", async () => {
    const { ask } = await setUp({ tokens, server });
    const foreign = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    expect((await ask("POST", "/api/session", { token: "op-token" }, foreign)).status).toBe(403);
  });
});

describe("a server on loopback", () => {
  test.each([
    ["a foreign name in Host", "http://evil.example/api/cameras", {}, 403],
    ["another site's page", "http://127.0.0.1/api/cameras", { "sec-fetch-site": "cross-site" }, 403],
    ["its own page", "http://127.0.0.1/api/cameras", { "sec-fetch-site": "same-origin" }, 200],
    ["curl", "http://localhost/api/cameras", {}, 200],
  ])("%s", async (_what, url, headers, status) => {
    const edge = await fakeEdge();
    expect((await createApp(edge).request(url, { headers })).status).toBe(status);
  });
});

describe("a page of another site", () => {
  const server = { host: "127.0.0.1", allowedOrigins: ["https://board.example"] };
  const preflight = { "access-control-request-method": "PATCH", "access-control-request-headers": "authorization,content-type" };

  test("may call when it is listed", async () => {
    const { ask } = await setUp({ server });
    const origin = { origin: "https://board.example", "sec-fetch-site": "cross-site" };
    const asked = await ask("OPTIONS", "/api/cameras/1", undefined, { ...origin, ...preflight });
    expect([asked.status, asked.headers.get("access-control-allow-origin")]).toEqual([204, "https://board.example"]);
    expect([asked.headers.get("access-control-allow-headers"), asked.headers.get("access-control-allow-credentials")]).toEqual([
      "authorization,content-type",
      null,
    ]);
    const answer = await ask("GET", "/api/cameras", undefined, origin);
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([200, "https://board.example"]);
  });

  test("may not when it is not", async () => {
    const { ask } = await setUp({ server });
    const origin = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    const asked = await ask("OPTIONS", "/api/cameras/1", undefined, { ...origin, ...preflight });
    expect(asked.headers.get("access-control-allow-origin")).toBeNull();
    expect((await ask("GET", "/api/cameras", undefined, origin)).status).toBe(403);
  });
});

test("every answer carries the headers that keep browsers safe", async () => {
  const { ask } = await setUp();
  for (const path of ["/", "/assets/app.js", "/api/cameras", "/nope"]) {
    const { headers } = await ask("GET", path);
    const policy = headers.get("content-security-policy") ?? "";
    expect([policy.includes("script-src 'self';"), policy.includes("unsafe"), policy.includes("frame-ancestors 'none'")]).toEqual(
      [true, false, true],
    );
    expect([headers.get("x-content-type-options"), headers.get("access-control-allow-origin")]).toEqual(["nosniff", null]);
  }
});

describe("the dashboard", () => {
  test("has no script or style of its own in the page", async () => {
    const { ask } = await setUp();
    const { text, headers } = await ask("GET", "/");
    expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect([/<script(?![^>]*src=)/.test(text), /\son\w+=/.test(text), /style=/.test(text)]).toEqual([false, false, false]);
  });

  test("is bundled, and not sent again to who has it", async () => {
    const { ask } = await setUp();
    const { status, text, headers } = await ask("GET", "/assets/app.js");
    expect([status, text.includes("zod"), text.length < 60_000]).toEqual([200, false, true]);
    const again = await ask("GET", "/assets/app.js", undefined, { "if-none-match": headers.get("etag") ?? "" });
    expect([again.status, again.text]).toEqual([304, ""]);
  });
});

test("the OpenAPI page names every route of the contract, and each reference in it leads somewhere", async () => {
  const { ask } = await setUp();
  const page = (await ask("GET", "/openapi.json")).json;
  expect(Object.keys(page.paths).sort()).toEqual(
    [
      "/livez",
      "/readyz",
      "/api/health/health_check",
      "/api/session",
      "/api/cameras",
      "/api/cameras/{id}",
      "/api/cameras/{id}/check",
      "/api/cameras/{id}/latest",
      "/api/cameras/{id}/frame.jpg",
      "/api/snapshot",
      "/api/quota",
      "/api/quota/groups/{group}/keys/{key}",
      "/api/quota/reload",
      "/api/system",
      "/api/requests/{messageId}",
      "/api/dlq",
      "/api/dlq/replay",
      "/api/export/json",
      "/api/export/csv",
      "/api/incidents",
      "/api/incidents/{id}",
      "/api/incidents/{id}/ack",
      "/api/incidents/{id}/bundle",
      "/api/evidence/{id}",
      "/api/alerts/hook",
    ].sort(),
  );
  const references = [...JSON.stringify(page).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? "");
  expect(references.length).toBeGreaterThan(10);
  for (const path of references) {
    const found = path.split("/").reduce<unknown>((place, key) => (place as Record<string, unknown> | undefined)?.[key], page);
    expect([path, found !== undefined]).toEqual([path, true]);
  }
});
