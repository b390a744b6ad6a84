/** `vedette dlq`: what was set aside, and putting it back into its topic. */

import { z } from "zod";
import { DeadLetter } from "../../protocols/dead-letter.ts";
import type { Bus, BusRecord } from "../../runtime/bus.ts";
import { Fault } from "../../runtime/errors.ts";
import { readLetter, replayOf } from "../dead-letters.ts";
import { type Command, exit, type Given, type Option, type Session, serverOptions, usageFault } from "./command.ts";
import { logHolder, openLog } from "./records/embedded.ts";
import { declaredTopics, openRecords, type Records } from "./records.ts";
import { connectServer } from "./server.ts";
import { columns, plain } from "./text.ts";

const batchRecords = 500;
const limitDefault = 1_000;
const limitMax = 100_000;
/** What the process takes in one call. */
const lettersMax = 100;
const Answer = z.object({ stored: z.int(), known: z.int() });
const deadTopics = declaredTopics.map(({ name }) => name).filter((name) => name.endsWith(".dlq"));

type Found = { readonly record: BusRecord; readonly letter: DeadLetter };

const foundIn = (record: BusRecord): Found | null => {
  const letter = readLetter(record);
  return letter && { record, letter };
};

type Wanted = (letter: DeadLetter) => boolean;

const lettersOf = async (records: Records, topic: string, wanted: Wanted, limit: number): Promise<Found[]> => {
  const found: Found[] = [];
  for (const { partition, oldest, next } of await records.states(topic))
    for (let at = oldest; at < next && found.length < limit; ) {
      const batch = await records.read(topic, partition, at, batchRecords);
      found.push(...batch.flatMap((record) => foundIn(record) ?? []).filter(({ letter }) => wanted(letter)));
      at = (batch.at(-1)?.offset ?? next) + 1;
    }
  return found;
};

const dispositions = DeadLetter.schema.shape.disposition.options;

/** Dead letters, oldest first; of `topic` (by either name) and `disposition` when given. */
const findLetters = async (given: Given, session: Session): Promise<Found[]> => {
  const named = given.text("topic");
  const names = deadTopics.filter((name) => named === undefined || name === named || name === `${named}.dlq`);
  if (names.length === 0)
    throw new Fault("not_found", `there are no dead letters of ${named}: there are those of ${deadTopics.join(", ")}`);
  const disposition = given.text("disposition");
  if (disposition !== undefined && !dispositions.some((known) => known === disposition))
    throw usageFault(`--disposition takes ${dispositions.join(", ")}, not ${JSON.stringify(disposition)}`);
  const id = given.text("id");
  const limit = given.number("limit", { from: 1, to: limitMax }) ?? limitDefault;
  const wanted: Wanted = (letter) =>
    (disposition ?? letter.disposition) === letter.disposition && (id ?? letter.id) === letter.id;
  await using records = await openRecords(session.config(), session);
  const there = new Set((await records.topics()).map(({ name }) => name));
  const found: Found[] = [];
  for (const name of names) if (there.has(name)) found.push(...(await lettersOf(records, name, wanted, limit)));
  return found.sort((left, right) => left.record.appendedAtMs - right.record.appendedAtMs).slice(0, limit);
};

const options: readonly Option[] = [
  { name: "topic", value: "T", does: "those of this topic only" },
  { name: "disposition", value: "D", does: "poison, expired, exhausted or rejected only" },
  { name: "id", value: "ID", does: "the one whose record had this id" },
  { name: "limit", value: "N", does: `so many at most, oldest first (default: ${limitDefault})` },
];

type Outcome = { readonly stored: number; readonly known: number };

/** By whoever may write: this command on Kafka and on a log that nobody has, else the process that has the log. */
const putBack = async (found: readonly Found[], given: Given, session: Session): Promise<Outcome> => {
  const loaded = session.config();
  const { bus } = loaded.config;
  if (bus.driver === "embedded" && logHolder(loaded.config) !== null) return askProcess(found, given, session);
  if (bus.driver === "kafka") {
    const { openKafka } = await import("./records/kafka.ts");
    return append(await openKafka(loaded, session), found);
  }
  const log = await openLog(loaded.config, session);
  await log.ensure(declaredTopics);
  return append(log, found);
};

const append = async (bus: Bus, found: readonly Found[]): Promise<Outcome> => {
  try {
    const appended = await bus.append(found.map(({ letter }) => replayOf(letter)));
    const known = appended.filter(({ duplicate }) => duplicate).length;
    return { stored: appended.length - known, known };
  } finally {
    await bus.close();
  }
};

const askProcess = async (found: readonly Found[], given: Given, session: Session): Promise<Outcome> => {
  const server = connectServer(given, session);
  let [stored, known] = [0, 0];
  for (const [topic, ofTopic] of Map.groupBy(found, ({ letter }) => letter.topic))
    for (let at = 0; at < ofTopic.length; at += lettersMax) {
      const letters = ofTopic.slice(at, at + lettersMax).map(({ record: { partition, offset } }) => ({ partition, offset }));
      const answer = Answer.parse(await server.ask("POST", "/api/dlq/replay", { topic, letters }));
      stored += answer.stored;
      known += answer.known;
    }
  return { stored, known };
};

export const dlq: Command = {
  name: "dlq",
  does: "Lists the records that were set aside (dead letters), and puts them back into their topic",
  actions: [
    {
      name: "list",
      does: "lists them with the reason, oldest first",
      options: [...options, { name: "json", does: "one JSON object a line" }],
      async run(given, session) {
        const found = await findLetters(given, session);
        if (given.isSet("json"))
          for (const { record, letter } of found) {
            const { type: _, value, ...fields } = letter;
            session.out(JSON.stringify({ at: record.appendedAtMs, ...fields, bytes: value.byteLength }));
          }
        else if (found.length === 0) session.out("there are no dead letters");
        else {
          const rows = found.map(({ record, letter }) => [
            new Date(record.appendedAtMs).toISOString(),
            `${letter.topic}/${letter.partition}@${letter.offset}`,
            letter.disposition,
            String(letter.attempts),
            letter.id,
            plain(letter.reason),
          ]);
          for (const line of columns([["SET ASIDE", "RECORD", "DISPOSITION", "ATTEMPTS", "ID", "REASON"], ...rows]))
            session.out(line);
        }
        return exit.ok;
      },
    },
    {
      name: "replay",
      does: "appends them to their topic again; one that was put back before is not stored twice",
      options: [...options, ...serverOptions],
      async run(given, session) {
        const found = await findLetters(given, session);
        if (found.length === 0) {
          session.out("there are no dead letters to put back");
          return exit.ok;
        }
        const { stored, known } = await putBack(found, given, session);
        session.out(`${stored} put back${known > 0 ? `, ${known} were put back before` : ""}`);
        return exit.ok;
      },
    },
  ],
  notes: ["A record that is put back is taken up like any other: cooldowns, deadlines and its three attempts hold for it again."],
};
