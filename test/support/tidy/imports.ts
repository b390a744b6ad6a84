/** Who may import whom: protocols <- runtime <- actors <- edge, with config a leaf beside them. */
import { posix } from "node:path";
import { drivers } from "../../../tools/portable.ts";
import { codeOf, eachLine, type Finding, isTest, isTypeScript, type Rule, type TextFile } from "./text.ts";

type Import = { readonly line: number; readonly from: string; readonly isType: boolean; readonly isUrl: boolean };

const statement = /\b(import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?["']([^"'\n]+)["']/g;
const dynamic = /\b(?:import|require)\(\s*["']([^"'\n]+)["']\s*\)|new URL\(\s*["'](\.[^"'\n]+)["'],\s*import\.meta\.url/g;

const importsOf = ({ text }: TextFile): Import[] => {
  const lineAt = (index: number) => text.slice(0, index).split("\n").length;
  const found = [...text.matchAll(statement)].map((match) => ({
    line: lineAt(match.index),
    from: match[3] ?? "",
    isType: match[2] !== undefined || /\{\s*(type\s+[\w$]+(\s+as\s+[\w$]+)?\s*,?\s*)+\}/.test(match[0]),
    isUrl: false,
  }));
  const later = [...text.matchAll(dynamic)].map((match) => ({
    line: lineAt(match.index),
    from: match[1] ?? match[2] ?? "",
    isType: false,
    isUrl: match[2] !== undefined,
  }));
  return [...found, ...later].filter(({ from }) => from !== "");
};

const isRelative = (from: string): boolean => from.startsWith(".");
const targetOf = (path: string, from: string): string => posix.join(posix.dirname(path), from);
const folderOf = (path: string): string => path.split("/", 1)[0] ?? "";
/** `actors/camera.ts` and `actors/camera/…` are the actor `camera`. */
const actorOf = (path: string): string => path.split("/")[1]?.replace(/\.ts$/, "") ?? "";

/** What is generic in protocols: how messages and topics are made, not which there are. */
const genericProtocols = /^protocols\/(message|topic|codec|dead-letter)\.ts$/;

const refusal = (path: string, { from, isType }: Import): string | null => {
  const to = targetOf(path, from);
  const target = folderOf(to);
  if (target === "test" && !isTest(path)) return "nothing imports test";
  if (target === "bench" && !["bench", "test"].includes(folderOf(path))) return "nothing imports bench";
  switch (folderOf(path)) {
    case "protocols":
      return target === "protocols" ? null : "protocols import protocols only";
    case "runtime":
      if (target === "protocols") return genericProtocols.test(to) ? null : "the runtime does not know the domain's messages";
      return target === "runtime" ? null : "the runtime imports the runtime and the generic protocols";
    case "config":
      return ["config", "protocols"].includes(target) || to === "runtime/errors.ts" ? null : "config is a leaf";
    case "actors":
      if (["protocols", "runtime"].includes(target)) return null;
      if (target === "config") return isType ? null : "an actor is handed its settings; it may import their types only";
      if (target !== "actors") return "actors do not know the edge";
      return actorOf(path) === "pipeline" || actorOf(path) === actorOf(to) ? null : "an actor imports no other actor";
    case "edge":
      return ["edge", "actors", "runtime", "protocols", "config"].includes(target) || to === "package.json"
        ? null
        : "the edge is product code";
    default:
      return null;
  }
};

export const arrows: Rule = {
  name: "imports go one way",
  applies: isTypeScript,
  check: (file) =>
    importsOf(file).flatMap((each) => {
      const says = isRelative(each.from) ? refusal(file.path, each) : null;
      return says === null ? [] : [{ line: each.line, says: `${each.from} is banned here: ${says}` }];
    }),
  broken: [
    { path: "protocols/a.ts", text: 'import { b } from "../runtime/b.ts";' },
    { path: "runtime/a.ts", text: 'import { Camera } from "../protocols/camera.ts";' },
    { path: "runtime/a.ts", text: 'import type { Config } from "../config/schema.ts";' },
    { path: "actors/camera.ts", text: 'import { x } from "./detector/pool.ts";' },
    { path: "actors/camera/a.ts", text: 'const x = await import("../tracker.ts");' },
    { path: "actors/camera.ts", text: 'import {\n  type A,\n  b,\n} from "../config/schema.ts";' },
    { path: "config/a.ts", text: 'import { x } from "../actors/camera.ts";' },
    { path: "edge/a.ts", text: 'import { x } from "../test/support/x.ts";' },
  ],
  sound: [
    { path: "actors/camera.ts", text: 'import type { Config } from "../config/schema.ts";\nimport { a } from "./camera/a.ts";' },
    { path: "actors/pipeline.ts", text: 'import { camera } from "./camera.ts";' },
    { path: "runtime/a.ts", text: 'import { topic } from "../protocols/topic.ts";' },
    { path: "edge/a.ts", text: 'import { x } from "../actors/pipeline.ts";' },
  ],
};

const isCore = (path: string): boolean => ["protocols", "runtime"].includes(folderOf(path)) && !drivers.test(path);

/** What each folder takes from packages; a driver takes what its service needs. */
const packagesOf: Readonly<Record<string, readonly string[]>> = {
  protocols: ["zod", "@msgpack/msgpack"],
  runtime: ["zod", "@msgpack/msgpack", "pino", "prom-client", "@opentelemetry/api"],
  config: ["zod", "yaml"],
};

const portability = (path: string, from: string): string | null => {
  const taken = packagesOf[folderOf(path)];
  if (!taken || isRelative(from) || taken.includes(from) || drivers.test(path)) return null;
  const isHost = /^(node:|bun(:|$))/.test(from);
  if (isCore(path))
    return isHost ? "the core runs on Bun, Node and Deno alike" : `${folderOf(path)} needs ${taken.join(", ")} only`;
  return isHost ? null : `config needs ${taken.join(" and ")} only`;
};

export const packages: Rule = {
  name: "the core is portable, and config and protocols stay light",
  applies: isTypeScript,
  check: (file) =>
    importsOf(file).flatMap(({ line, from }): Finding[] => {
      const says = portability(file.path, from);
      return says === null ? [] : [{ line, says: `${from} is banned here: ${says}` }];
    }),
  broken: [
    { path: "protocols/a.ts", text: 'import pino from "pino";' },
    { path: "runtime/cell.ts", text: 'import { readFileSync } from "node:fs";' },
    { path: "runtime/cell/a.ts", text: 'import { Database } from "bun:sqlite";' },
    { path: "runtime/a.ts", text: 'import Redis from "ioredis";' },
    { path: "config/a.ts", text: 'import { Hono } from "hono";' },
  ],
  sound: [
    { path: "runtime/bus-sqlite/worker.ts", text: 'import { Database } from "bun:sqlite";' },
    { path: "runtime/store-redis.ts", text: 'import { Redis } from "ioredis";' },
    { path: "runtime/metrics.ts", text: 'import { Counter } from "prom-client";' },
    { path: "config/load.ts", text: 'import { join } from "node:path";' },
  ],
};

/** What only some of Bun, Node and Deno have, or have alike only by name. */
const hostGlobals =
  /\b(Bun|Buffer|process|Deno|require|global|setImmediate|clearImmediate|__dirname|__filename)\b\s*[.([?]|\bimport\.meta\.(?!url\b)/;

export const globals: Rule = {
  name: "the core touches no global of one runtime",
  applies: (path) => isTypeScript(path) && isCore(path),
  check: (file) =>
    eachLine(file, (line) => {
      const found = hostGlobals.exec(codeOf(line))?.[0];
      return found ? `${found.replace(/\W+$/, "")} is banned here: the core runs on Bun, Node and Deno alike` : null;
    }),
  broken: [
    { path: "runtime/a.ts", text: "const hash = Bun.hash(text);" },
    { path: "runtime/cell/a.ts", text: 'const bytes = Buffer.from("x");' },
    { path: "protocols/a.ts", text: "if (process.platform) run();" },
    { path: "runtime/a.ts", text: "setImmediate(run);" },
    { path: "runtime/a.ts", text: "const here = import.meta.dir;" },
  ],
  sound: [
    { path: "runtime/jpeg.ts", text: "Buffer.from(pixels);" },
    { path: "actors/camera/a.ts", text: "Bun.hash(text);" },
    { path: "runtime/a.ts", text: 'const url = new URL("./a.ts", import.meta.url); // Bun.hash is for others' },
    { path: "runtime/log.ts", text: 'type Event = "process.start";' },
  ],
};

export const endings: Rule = {
  name: "relative imports name their file",
  applies: isTypeScript,
  check: (file, exists) =>
    importsOf(file).flatMap(({ line, from, isUrl }): Finding[] => {
      if (!isRelative(from)) return [];
      if (!isUrl && !/\.\w+$/.test(from)) return [{ line, says: `${from} is banned: write the file's ending` }];
      return exists(targetOf(file.path, from).replace(/\/$/, "")) ? [] : [{ line, says: `${from} is not there` }];
    }),
  broken: [
    { path: "edge/a.ts", text: 'import { x } from "./b";' },
    { path: "edge/a.ts", text: 'import { x } from "./none.ts";' },
  ],
  sound: [{ path: "edge/a.ts", text: 'import { x } from "./there.ts";\nimport { z } from "zod";' }],
};

export const json: Rule = {
  name: "JSON is imported as JSON",
  applies: isTypeScript,
  check: (file) =>
    eachLine(file, (line) =>
      /\bfrom "[^"]+\.json";/.test(line) ? 'an import of JSON is banned without its type, use with { type: "json" }' : null,
    ),
  broken: [{ path: "test/unit/a.test.ts", text: 'import sample from "./a.json";' }],
  sound: [{ path: "test/unit/a.test.ts", text: 'import sample from "./a.json" with { type: "json" };' }],
};
