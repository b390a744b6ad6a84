/** The runtime, the data directory, the disk and the ports. */
import { accessSync, constants, existsSync, readdirSync, statfsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import type { Config } from "../../../config/schema.ts";
import { reasonOf } from "../../../runtime/errors.ts";
import { logHolder } from "../records/embedded.ts";
import { checkFiles } from "../store.ts";
import { sizeText } from "../text.ts";
import type { Finding } from "./finding.ts";

const bunNeeded = "1.4.5";
const answerMs = 2_000;
/** A file up to this size is read whole; `store check` reads any. */
const checkedBytesMax = 256 * 2 ** 20;

export const runtime = (): Finding => {
  const detail = `bun ${Bun.version} on ${process.platform} ${process.arch}`;
  if (Bun.semver.order(Bun.version, bunNeeded) >= 0) return { name: "runtime", status: "ok", detail };
  return { name: "runtime", status: "fail", detail, mend: `bun ${bunNeeded} is needed: npm install brings it` };
};

/** The nearest folder above that is there. */
const existing = (path: string): string => (existsSync(path) || dirname(path) === path ? path : existing(dirname(path)));

const bytesBelow = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => {
      try {
        return sum + statSync(join(entry.parentPath, entry.name)).size;
      } catch {
        return sum; // taken away by its owner since
      }
    }, 0);

export const dataDirectory = (config: Config): Finding => {
  const { data, bus } = config;
  const name = "data";
  const path = resolve(data.dir);
  const near = existing(path);
  try {
    accessSync(near, constants.W_OK);
  } catch {
    return { name, status: "fail", detail: `${near} may not be written`, mend: "set data.dir to a directory of this user" };
  }
  if (near !== path) return { name, status: "ok", detail: `${data.dir} is made at the first start` };
  if (!statSync(path).isDirectory())
    return { name, status: "fail", detail: `${data.dir} is a file`, mend: "set data.dir to a directory" };
  const detail = `${data.dir}, ${sizeText(bytesBelow(path))}`;
  if (bus.driver !== "embedded") return { name, status: "ok", detail };
  const holder = logHolder(config);
  const owner = holder === null ? "no process has it" : `in use${/ by process \d+/.exec(holder)?.[0] ?? ""}`;
  return { name, status: "ok", detail: `${detail}, ${owner}` };
};

export const files = (config: Config): Finding => {
  const name = "files";
  const mend = "the next start sets the damaged file aside and keeps what can be read of it";
  const reports = checkFiles(config, false, checkedBytesMax);
  const bad = reports.filter(({ state }) => state === "damaged" || state === "newer");
  if (bad.length > 0)
    return {
      name,
      status: "fail",
      detail: bad.map(({ path, detail }) => `${path}: ${detail}`).join("; "),
      ...(bad.some(({ state }) => state === "damaged")
        ? { mend }
        : { mend: "start the newer version of vedette, or move the file away" }),
    };
  const aside = reports.flatMap(({ setAside }) => setAside);
  if (aside.length > 0)
    return {
      name,
      status: "warn",
      detail: `set aside as damaged: ${aside.join(", ")}`,
      mend: "remove them when you need nothing of them",
    };
  const there = reports.filter(({ state }) => state !== "missing");
  const detail = there.map(({ path, detail }) => `${path}: ${detail}`).join("; ");
  return { name, status: "ok", detail: detail || "nothing was written yet" };
};

export const disk = ({ data }: Config): Finding => {
  const name = "disk";
  const { bavail, bsize } = statfsSync(existing(resolve(data.dir)));
  const free = bavail * bsize;
  const detail = `${sizeText(free)} free`;
  if (free < data.minFreeBytes)
    return {
      name,
      status: "fail",
      detail: `${detail}, below data.minFreeBytes ${sizeText(data.minFreeBytes)}: nothing would be admitted`,
      mend: "free some space, or set data.dir to another disk",
    };
  const room = free - data.minFreeBytes + (existsSync(data.dir) ? bytesBelow(data.dir) : 0);
  if (room >= data.maxBytes) return { name, status: "ok", detail };
  return {
    name,
    status: "warn",
    detail: `${detail}, less than data.maxBytes ${sizeText(data.maxBytes)} may come to need`,
    mend: `set data.maxBytes to ${sizeText(Math.max(16 * 2 ** 20, room)).replace(/\.\d+ /, "")} or less`,
  };
};

/** Null when the port is free, else why it is not. */
const tryPort = (host: string, port: number): Promise<string | null> =>
  new Promise((tried) => {
    const server = createServer();
    server.once("error", (error) => tried(reasonOf(error)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => tried(null)));
  });

const serviceAt = async (host: string, port: number): Promise<string | null> => {
  try {
    const near = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
    const url = `http://${near.includes(":") ? `[${near}]` : near}:${port}/api/health/health_check`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(answerMs), redirect: "manual" });
    const body = (await answer.json()) as { data?: { service?: unknown; version?: unknown } }; // looked at, not trusted
    return body.data?.service === "vedette" ? `vedette ${String(body.data.version)}` : null;
  } catch {
    return null; // whatever it is, it is none of ours
  }
};

export const ports = async ({ server, observability }: Config): Promise<Finding[]> => {
  const wanted = [
    { key: "server.port", port: server.port },
    ...(observability.port === null || observability.port === server.port
      ? []
      : [{ key: "observability.port", port: observability.port }]),
  ];
  return Promise.all(
    wanted.map(async ({ key, port }): Promise<Finding> => {
      const name = key === "server.port" ? "port" : "metrics port";
      if (port === 0) return { name, status: "ok", detail: `${key} 0 takes a free one` };
      const trouble = await tryPort(server.host, port);
      if (trouble === null) return { name, status: "ok", detail: `${server.host}:${port} is free` };
      const service = await serviceAt(server.host, port);
      if (service !== null) return { name, status: "ok", detail: `${service} answers at ${server.host}:${port}` };
      return {
        name,
        status: "fail",
        detail: `${server.host}:${port} cannot be used: ${trouble}`,
        mend: `end what listens there, or set ${key} to another port`,
      };
    }),
  );
};
