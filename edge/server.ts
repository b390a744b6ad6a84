/** The HTTP and WebSocket server: `createApp` is the whole of it without a port, `serve` gives it one. */
import type { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { Fault, reasonOf, StartRefused } from "../runtime/errors.ts";
import { isOriginAllowed, refuseForeignHost, refuseForeignPage } from "./auth/origin.ts";
import { createAuth } from "./auth.ts";
import { createCommands } from "./live/commands.ts";
import type { LiveSocket } from "./live/connection.ts";
import { messagePackProtocol } from "./live/wire.ts";
import type { EdgePorts } from "./ports.ts";
import { faultOf, methodNotAllowed, problemResponse } from "./problem.ts";
import { requestAddress } from "./routes/address.ts";
import { alertRoutes } from "./routes/alerts.ts";
import { cameraRoutes } from "./routes/cameras.ts";
import { dashboardRoutes } from "./routes/dashboard.ts";
import { deadLetterRoutes } from "./routes/dead-letters.ts";
import { documentRoutes } from "./routes/documents.ts";
import { exportRoutes } from "./routes/export.ts";
import { type HealthPorts, healthRoutes } from "./routes/health.ts";
import { incidentRoutes } from "./routes/incidents.ts";
import { liveRoutes } from "./routes/live.ts";
import { quotaRoutes } from "./routes/quota.ts";
import { createRoutes, type EdgeApp, type EdgeEnv, methodsAt, type SocketData } from "./routes/routing.ts";
import { sessionRoutes } from "./routes/session.ts";
import { systemRoutes } from "./routes/system.ts";

const bodyMaxBytes = 1024 * 1024;

/** Paths that tell nothing about cameras; they are served without a token. */
const openPaths = new Set([
  "/",
  "/livez",
  "/readyz",
  "/api/health/health_check",
  "/api/session",
  "/openapi.json",
  "/asyncapi.json",
]);
const isOpenPath = (path: string): boolean => openPaths.has(path) || path.startsWith("/assets/");

const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
};

const nobody = { name: "nobody", role: "viewer", cameras: new Set<number>(), via: "cookie" } as const;

/** Errors as problem documents, security headers on everything. */
const frame = (app: EdgeApp | Hono<EdgeEnv>, { log }: Pick<EdgePorts, "log">): void => {
  app.use("*", async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(securityHeaders)) c.res.headers.set(name, value);
  });
  app.onError((thrown, c) => {
    const fault = faultOf(thrown);
    if (!fault) log.error("request.failed", { method: c.req.method, path: c.req.path, reason: reasonOf(thrown) });
    const headers: Record<string, string> = fault?.code === "unauthorized" ? { "www-authenticate": "Bearer" } : {};
    return problemResponse(fault ?? new Fault("internal", "the reason stands in the log"), headers);
  });
  app.notFound((c) => {
    const what = `${c.req.method} ${c.req.path.slice(0, 200)}`;
    const allowed = methodsAt(app, c.req.path);
    return allowed.length > 0
      ? methodNotAllowed(what, allowed)
      : problemResponse(new Fault("not_found", `nothing is at ${what}`));
  });
};

export const createApp = (ports: EdgePorts): EdgeApp => {
  const { clock, log, server: settings } = ports;
  const auth = createAuth(ports.tokens, clock);
  const app = createRoutes();
  frame(app, ports);
  // Pages of other sites only when they are listed, and then with a bearer token: the cookie is for this site alone.
  if (settings.allowedOrigins.length > 0) app.use("*", cors({ origin: [...settings.allowedOrigins], maxAge: 600 }));

  app.use("*", async (c, next) => {
    const url = new URL(c.req.url);
    const headers = c.req.raw.headers;
    refuseForeignHost(url, settings);
    const principal = auth.identify(headers, requestAddress(c));
    refuseForeignPage({ method: c.req.method, url, headers }, principal ?? nobody, settings);
    if (!principal && !isOpenPath(c.req.path)) {
      log.debug("client.refused", { path: c.req.path, reason: "no valid token" });
      const why = headers.has("authorization") ? "the token is not known: " : "";
      throw new Fault("unauthorized", `${why}send Authorization: Bearer with a token of auth.tokens, or log in on the dashboard`);
    }
    c.set("principal", principal ?? nobody);
    await next();
  });
  app.use(
    "*",
    bodyLimit({
      maxSize: bodyMaxBytes,
      onError() {
        throw new Fault("too_large", `the body is larger than ${bodyMaxBytes} bytes`);
      },
    }),
  );

  app.get("/ws", (c) => {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") throw new Fault("invalid_field", "connect to /ws by WebSocket");
    if (!isOriginAllowed(new URL(c.req.url), c.req.raw.headers, settings)) {
      log.info("client.refused", { reason: "foreign origin" });
      throw new Fault("forbidden", "pages of other sites may not connect; list the origin under server.corsOrigins");
    }
    const asked = c.req
      .header("sec-websocket-protocol")
      ?.split(",")
      .map((each) => each.trim());
    if (asked && !asked.includes(messagePackProtocol)) {
      // Bun would accept whatever is asked for, and then JSON would be sent under a name that promises something else.
      throw new Fault("invalid_field", `sec-websocket-protocol: connect with ${messagePackProtocol}, or without one for JSON`, {
        details: { field: "sec-websocket-protocol" },
      });
    }
    const data: SocketData = { principal: c.get("principal"), form: asked ? "msgpack" : "json", live: null };
    const headers: Record<string, string> = asked ? { "sec-websocket-protocol": messagePackProtocol } : {};
    if (!c.env.server?.upgrade(c.req.raw, { data, headers }))
      throw new Fault("unavailable", "the connection could not be upgraded");
    return new Response(null);
  });

  app.route("/", healthRoutes(ports));
  app.route("/", sessionRoutes(auth));
  app.route("/", cameraRoutes(ports));
  app.route("/", liveRoutes(ports));
  app.route("/", systemRoutes(ports));
  app.route("/", deadLetterRoutes(ports));
  app.route("/", exportRoutes(ports));
  app.route("/", incidentRoutes(ports));
  app.route("/", alertRoutes(ports));
  app.route("/", quotaRoutes(ports));
  app.route("/", documentRoutes(app, ports.version));
  app.route("/", dashboardRoutes());
  return app;
};

/** For processes without the edge: `/livez`, `/readyz` and `/metrics` only. */
export const createHealthApp = (ports: HealthPorts & Pick<EdgePorts, "log">): EdgeApp => {
  const app = createRoutes();
  frame(app, ports);
  app.route("/", healthRoutes(ports));
  return app;
};

export type Serving = {
  readonly url: string;
  readonly port: number;
  /** Closes clients and the port; resolves when requests in work have ended, or after `graceMs`. */
  readonly stop: (graceMs?: number) => Promise<void>;
};

const socketOf = (ws: Bun.ServerWebSocket<SocketData>): LiveSocket => ({
  send: (frame) => void ws.send(frame),
  subscribe: (topic) => void ws.subscribe(topic),
  unsubscribe: (topic) => void ws.unsubscribe(topic),
  bufferedBytes: () => ws.getBufferedAmount(),
  close: (code, reason) => ws.close(code, reason),
  terminate: () => ws.terminate(),
});

const webSocketOf = (ports: EdgePorts): Bun.WebSocketHandler<SocketData> => {
  const { live, log } = ports;
  const commandsOf = createCommands(ports);
  return {
    maxPayloadLength: 64 * 1024,
    idleTimeout: 60,
    sendPings: true,
    perMessageDeflate: false,
    // The last resort: the fan-out lets a client go long before, and says so.
    backpressureLimit: 16 * 1024 * 1024,
    closeOnBackpressureLimit: true,
    open(ws) {
      const connection = live.connect(socketOf(ws), ws.data.principal, ws.data.form);
      if (connection) ws.data.live = { connection, commands: commandsOf(connection) };
      else {
        log.warn("client.refused", { reason: "too many clients", clients: live.clients() });
        ws.close(1013, "too many clients");
      }
    },
    message: (ws, raw) => ws.data.live?.commands.receive(raw),
    drain(ws) {
      if (ws.data.live) live.drained(ws.data.live.connection);
    },
    close(ws) {
      if (ws.data.live) live.disconnect(ws.data.live.connection);
      ws.data.live = null;
    },
  };
};

type Listening = { readonly host: string; readonly port: number };

const listen = <Data>(app: EdgeApp, at: Listening, setting: string, websocket: Bun.WebSocketHandler<Data>): Bun.Server<Data> => {
  try {
    return Bun.serve<Data>({
      hostname: at.host,
      port: at.port,
      // Bun's own refusal has no body; the app's limit answers first, and Bun keeps nothing of what is not read.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      idleTimeout: 30,
      fetch: (request, running) => app.fetch(request, { server: running as Bun.Server<SocketData> }), // without the edge none upgrades
      websocket,
    });
  } catch (thrown) {
    const isTaken = thrown instanceof Error && "code" in thrown && thrown.code === "EADDRINUSE";
    const why = isTaken ? "another process has this port" : reasonOf(thrown);
    throw new StartRefused(1, `cannot listen on ${at.host}:${at.port}: ${why}; choose another with --set ${setting}=N`);
  }
};

const urlOf = ({ host }: Listening, port: number): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Listens for `createHealthApp`; no client stays, so it ends at once. */
export const serveHealth = (app: EdgeApp, { log }: Pick<EdgePorts, "log">, at: Listening, setting: string): Serving => {
  const server = listen<undefined>(app, at, setting, { message() {} });
  const port = server.port ?? at.port;
  const url = urlOf(at, port);
  log.info("server.listening", { url, serves: "health" });
  return { url, port, stop: () => server.stop(true) };
};

/** Listens. With port 0 a free one is taken; see `port` of what is returned. */
export const serve = (app: EdgeApp, ports: EdgePorts, at: Listening): Serving => {
  const { clock, live } = ports;
  const server = listen<SocketData>(app, at, "server.port", webSocketOf(ports));
  live.attach({
    publish: (topic, frame) => void server.publish(topic, frame),
    subscribers: (topic) => server.subscriberCount(topic),
  });
  const port = server.port ?? at.port;
  const url = urlOf(at, port);
  ports.log.info("server.listening", { url });
  return {
    url,
    port,
    async stop(graceMs = 1_000) {
      await live.stop();
      const ended = server.stop();
      let cancel = () => {};
      const late = new Promise<void>((resolve) => {
        cancel = clock.after(graceMs, resolve);
      });
      await Promise.race([ended, late]);
      cancel();
      await server.stop(true);
    },
  };
};
