/** `vedette dlq`: what was set aside, and putting it back into its topic. */
import { createCodec } from "../../protocols/codec.ts";
import { DeadLetter } from "../../protocols/dead-letter.ts";
import type { Bus, BusRecord, Outgoing } from "../../runtime/bus.ts";
import { Fault } from "../../runtime/errors.ts";
import { type Command, exit, type Given, type Option, type Session } from "./command.ts";
import { openLog } from "./records/embedded.ts";
import { declaredTopics, openRecords, type Records } from "./records.ts";
import { columns, plain } from "./text.ts";

const batchRecords = 500;
const limitDefault = 1_000;
const limitMax = 100_000;
/** Appended to the id of a record that is put back, which must differ from the first one: its topic still knows that. */
const mark = "~replay-";

const codec = createCodec([DeadLetter]);
const deadTopics = declaredTopics.map(({ name }) => name).filter((name) => name.endsWith(".dlq"));

type Found = { readonly record: BusRecord; readonly letter: DeadLetter };

const readLetter = (record: BusRecord): Found | null => {
  const read = codec.read(record.type, record.bytes);
  return read.ok ? { record, letter: read.message as DeadLetter } : null; // the codec knows this message only
};

type Wanted = (letter: DeadLetter) => boolean;

const lettersOf = async (records: Records, topic: string, wanted: Wanted, limit: number): Promise<Found[]> => {
  const found: Found[] = [];
  for (const { partition, oldest, next } of await records.states(topic))
    for (let at = oldest; at < next && found.length < limit; ) {
      const batch = await records.read(topic, partition, at, batchRecords);
      found.push(...batch.flatMap((record) => readLetter(record) ?? []).filter(({ letter }) => wanted(letter)));
      at = (batch.at(-1)?.offset ?? next) + 1;
    }
  return found;
};

/** Dead letters, oldest first; of `topic` (by either name) and `disposition` when given. */
const findLetters = async (given: Given, session: Session): Promise<Found[]> => {
  const named = given.text("topic");
  const names = deadTopics.filter((name) => named === undefined || name === named || name === `${named}.dlq`);
  if (names.length === 0)
    throw new Fault("not_found", `there are no dead letters of ${named}: there are those of ${deadTopics.join(", ")}`);
  const disposition = given.text("disposition");
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

/** The record as it was, under an id that tells its replay from itself: replaying one letter twice stores it once. */
export const replayOf = (letter: DeadLetter): Outgoing => {
  const { topic, key, id, recordType, trace, value, partition, offset } = letter;
  return { topic, key, id: `${id.split(mark)[0]}${mark}${partition}-${offset}`, type: recordType, trace, bytes: value };
};

const options: readonly Option[] = [
  { name: "topic", value: "T", does: "those of this topic only" },
  { name: "disposition", value: "D", does: "poison, expired, exhausted or rejected only" },
  { name: "id", value: "ID", does: "the one whose record had this id" },
  { name: "limit", value: "N", does: `so many at most, oldest first (default: ${limitDefault})` },
];

const openBus = async (session: Session): Promise<Bus> => {
  const loaded = session.config();
  if (loaded.config.bus.driver === "kafka") return (await import("./records/kafka.ts")).openKafka(loaded, session);
  const bus = await openLog(loaded.config, session);
  await bus.ensure(declaredTopics);
  return bus;
};

const putBack = async (
  found: readonly Found[],
  session: Session,
): Promise<{ readonly stored: number; readonly known: number }> => {
  const bus = await openBus(session);
  try {
    const appended = await bus.append(found.map(({ letter }) => replayOf(letter)));
    const known = appended.filter(({ duplicate }) => duplicate).length;
    return { stored: appended.length - known, known };
  } finally {
    await bus.close();
  }
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
      options,
      async run(given, session) {
        const found = await findLetters(given, session);
        if (found.length === 0) {
          session.out("there are no dead letters to put back");
          return exit.ok;
        }
        const { stored, known } = await putBack(found, session);
        session.out(`${stored} put back${known > 0 ? `, ${known} were put back before` : ""}`);
        return exit.ok;
      },
    },
  ],
  notes: ["A record that is put back is taken up like any other: cooldowns, deadlines and its three attempts hold for it again."],
};
