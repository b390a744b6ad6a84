/** `vedette store check`: whether the files of the data directory are sound. Reads only. */
import { Database } from "bun:sqlite";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Config } from "../../config/schema.ts";
import { migrations as logMigrations } from "../../runtime/bus-sqlite/catalog.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { migrations as storeMigrations } from "../../runtime/store-sqlite/fact-file.ts";
import { type Command, exit } from "./command.ts";
import { redis } from "./doctor/services.ts";
import { sizeText } from "./text.ts";

export type FileReport = {
  readonly path: string;
  readonly state: "sound" | "missing" | "unread" | "damaged" | "newer";
  readonly bytes: number;
  readonly detail: string;
  /** Files that were set aside because they were damaged. */
  readonly setAside: readonly string[];
};

const problemsShown = 5;

/** SQLite's own words about what is wrong; empty when nothing is. */
const complaintsOf = (database: Database, isFull: boolean): string[] => {
  const pragma = isFull ? "integrity_check" : "quick_check";
  return database
    .query<Record<string, string>, []>(`PRAGMA ${pragma}(${problemsShown})`)
    .all()
    .flatMap((row) => Object.values(row))
    .filter((text) => text !== "ok");
};

const countsOf = (database: Database): string => {
  const count = (table: string) => database.query<{ rows: number }, []>(`SELECT count(*) AS rows FROM ${table}`).get()?.rows ?? 0;
  const tables = database
    .query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table'")
    .all()
    .map(({ name }) => name);
  if (tables.includes("facts")) return `${count("facts")} facts`;
  const records = tables.filter((name) => /^records_\d+_\d+$/.test(name)).reduce((sum, name) => sum + count(name), 0);
  return `${records} records`;
};

const judge = (path: string, known: number, isFull: boolean): Omit<FileReport, "path" | "bytes" | "setAside"> => {
  let database: Database | null = null;
  try {
    database = new Database(path, { readonly: true });
    database.run("PRAGMA busy_timeout = 2000");
    const version = database.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
    if (version > known) return { state: "newer", detail: `schema ${version}, this version of vedette knows ${known}` };
    const complaints = complaintsOf(database, isFull);
    if (complaints.length > 0) return { state: "damaged", detail: complaints.join("; ") };
    return { state: "sound", detail: countsOf(database) };
  } catch (thrown) {
    return { state: "damaged", detail: reasonOf(thrown) };
  } finally {
    database?.close();
  }
};

const setAsideOf = (path: string): string[] => {
  if (!existsSync(dirname(path))) return [];
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(`${basename(path)}.damaged-`) && /\d$/.test(name))
    .map((name) => join(dirname(path), name));
};

/** A file of more than `bytesMax` is not read through. */
export const checkFiles = ({ data }: Config, isFull: boolean, bytesMax = Number.POSITIVE_INFINITY): FileReport[] =>
  [
    { path: join(data.dir, "log", "log.sqlite"), known: logMigrations.length },
    { path: join(data.dir, "store", "store.sqlite"), known: storeMigrations.length },
  ].map(({ path, known }) => {
    const setAside = setAsideOf(path);
    if (!existsSync(path)) return { path, state: "missing", bytes: 0, detail: "nothing was written yet", setAside };
    const bytes = statSync(path).size;
    if (bytes > bytesMax) return { path, state: "unread", bytes, detail: "too large to be read in passing", setAside };
    return { path, bytes, ...judge(path, known, isFull), setAside };
  });

const lineOf = ({ path, state, bytes, detail }: FileReport): string =>
  `${state === "sound" ? "ok  " : state === "missing" ? "none" : "BAD "} ${path} ${sizeText(bytes)}: ${detail}`;

export const store: Command = {
  name: "store",
  does: "Checks the files of the data directory",
  actions: [
    {
      name: "check",
      does: "reads every page of the log and the store, and asks a configured Redis; exit code 1 when one is damaged or away",
      options: [
        { name: "full", does: "also compare indexes with their tables, which takes longer" },
        { name: "json", does: "the report as JSON" },
      ],
      async run(given, session) {
        const loaded = session.config();
        const reports = checkFiles(loaded.config, given.isSet("full"));
        const shared = await redis(loaded, session);
        const isBad = reports.some(({ state }) => state === "damaged" || state === "newer") || shared.status === "fail";
        if (given.isSet("json")) session.out(JSON.stringify({ ok: !isBad, files: reports, redis: shared }));
        else
          for (const report of reports) {
            session.out(lineOf(report));
            for (const path of report.setAside)
              session.out(`     ${path} was set aside as damaged; remove it when you need nothing of it`);
          }
        if (shared.status !== "skip" && !given.isSet("json"))
          session.out(`${shared.status === "ok" ? "ok  " : "BAD "} ${shared.detail}`);
        if (reports.some(({ state }) => state === "damaged"))
          session.note("a start sets a damaged file aside and keeps what can be read of it");
        return isBad ? exit.failed : exit.ok;
      },
    },
  ],
  notes: ["It may run beside the process that has the files."],
};
