/** `vedette tail`: records as they come, or all that is kept about one request. */

import type { BusRecord } from "../../runtime/bus.ts";
import { Fault } from "../../runtime/errors.ts";
import { type Command, exit, type Given, type Session } from "./command.ts";
import { readRecord, recordJson, recordLine } from "./record-text.ts";
import {
  declaredTopics,
  type Follower,
  type From,
  followRecords,
  openRecords,
  type Records,
  unknownTopic,
  until,
} from "./records.ts";
import { timeForms, timeOf } from "./time.ts";

/** A request's id holds the time at which it was made (RFC 9562, version 7); what it led to came later. */
const madeBeforeMs = 60_000;
const requestWaitMs = 15_000;
const countMax = 1_000_000_000;

const requestTopics = ["detection-results", "assessment-tasks", "risk-assessment-results", "incidents"];

const madeAt = (request: string): number | null => {
  const match = /^([0-9a-f]{8})-([0-9a-f]{4})-7/i.exec(request);
  return match ? Number.parseInt(`${match[1]}${match[2]}`, 16) : null;
};

/** Tasks, results and dead letters have ids that begin with their request's. */
const isAbout = (record: BusRecord, request: string): boolean => {
  if (record.id === request || record.id.startsWith(`${request}_`)) return true;
  const read = readRecord(record);
  if (!("message" in read)) return false;
  const { messageId, requestId, id } = read.message as { messageId?: unknown; requestId?: unknown; id?: unknown }; // compared only
  return messageId === request || requestId === request || (typeof id === "string" && id.startsWith(request));
};

const isLast = (record: BusRecord): boolean => {
  const read = readRecord(record);
  return record.type === "risk_update" && "message" in read && (read.message as { final?: unknown }).final === true;
};

const beginning = (given: Given, request: string | undefined, nowMs: number): From => {
  const text = given.text("from");
  if (text === undefined) {
    if (request === undefined) return "end";
    const made = madeAt(request);
    return made === null ? "earliest" : { sinceMs: made - madeBeforeMs };
  }
  if (text === "end" || text === "earliest") return text;
  return { sinceMs: timeOf("from", text, nowMs) };
};

const topicsOf = async (given: Given, records: Records, request: string | undefined): Promise<readonly string[]> => {
  const named = given.text("topic");
  const declared = declaredTopics.map(({ name }) => name);
  if (named === undefined)
    return request === undefined ? declared : [...requestTopics, ...declared.filter((name) => name.endsWith(".dlq"))];
  const known = new Set([...declared, ...(await records.topics()).map(({ name }) => name)]);
  if (!known.has(named)) throw unknownTopic(named, [...known]);
  return [named];
};

type Wish = {
  readonly request: string | undefined;
  readonly count: number;
  readonly isOnce: boolean;
  readonly limitMs: number;
  readonly show: (record: BusRecord) => void;
};

/** The number of records shown. */
const show = async (
  follower: Follower,
  { request, count, isOnce, limitMs, show }: Wish,
  times: Pick<Session, "clock" | "signal"> & Pick<Records, "pollMs">,
): Promise<number> => {
  let shown = 0;
  const isEnd = (record: BusRecord): boolean => {
    if (times.signal.aborted) return true;
    if (request !== undefined && !isAbout(record, request)) return false;
    show(record);
    shown++;
    return shown >= count || (request !== undefined && isLast(record));
  };
  await until(times, limitMs, async () => {
    for (let records = await follower.take(); records.length > 0; records = await follower.take())
      if (records.some(isEnd)) return true;
    return isOnce ? true : null;
  });
  return shown;
};

export const tail: Command = {
  name: "tail",
  does: "Shows records of the topics as they come, or everything that is kept about one request",
  actions: [
    {
      name: "",
      does: "",
      options: [
        { name: "topic", value: "T", does: "this topic only (default: all)" },
        {
          name: "request",
          value: "ID",
          does: "what was recorded about this messageId; ends with its final verdict, exit code 1 when nothing is found",
        },
        { name: "from", value: "WHEN", does: `end (the default), earliest, ${timeForms}` },
        { name: "count", value: "N", does: "end after so many records" },
        { name: "timeout", value: "S", does: "end after so many seconds (default with --request: 15)" },
        { name: "once", does: "show what is there and end" },
        { name: "json", does: "one JSON object a line; pictures by their size" },
      ],
      async run(given, session) {
        await using records = await openRecords(session.config(), session);
        const request = given.text("request");
        const names = await topicsOf(given, records, request);
        const timeoutS = given.number("timeout", { from: 0, to: 86_400 });
        const wish: Wish = {
          request,
          count: given.number("count", { from: 1, to: countMax }) ?? Number.POSITIVE_INFINITY,
          isOnce: given.isSet("once"),
          limitMs: timeoutS === undefined ? (request === undefined ? Number.POSITIVE_INFINITY : requestWaitMs) : timeoutS * 1_000,
          show: (record) => session.out(given.isSet("json") ? recordJson(record) : recordLine(record)),
        };
        const from =
          wish.isOnce && given.text("from") === undefined && request === undefined
            ? "earliest"
            : beginning(given, request, session.clock.nowMs());
        const { clock, signal } = session;
        const follower = await followRecords(records, names, from);
        const shown = await show(follower, wish, { clock, signal, pollMs: records.pollMs });
        if (request === undefined || shown > 0) return exit.ok;
        throw new Fault("not_found", `nothing is recorded about request ${request}: its records may be past their retention`);
      },
    },
  ],
  notes: ["It reads beside the processes that write, and commits nothing. Ctrl-C ends it."],
};
