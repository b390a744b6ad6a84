/** `vedette dlq`: what was set aside, and putting it back into its topic. */
import { createCodec } from "../../protocols/codec.ts";
import { DeadLetter } from "../../protocols/dead-letter.ts";
import type { BusRecord, Outgoing } from "../../runtime/bus.ts";
import { openSqliteBus } from "../../runtime/bus-sqlite.ts";
import { Fault } from "../../runtime/errors.ts";
import { silentLog } from "../../runtime/log.ts";
import { type Command, exit, type Given, type Option, type Session } from "./command.ts";
import { declaredTopics, logDirectory, logHolder, lookAtLog } from "./records.ts";
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

/** Dead letters, oldest first; of `topic` (by either name) and `disposition` when given. */
const findLetters = (given: Given, session: Session): Found[] => {
  const named = given.text("topic");
  const names = deadTopics.filter((name) => named === undefined || name === named || name === `${named}.dlq`);
  if (names.length === 0)
    throw new Fault("not_found", `there are no dead letters of ${named}: there are those of ${deadTopics.join(", ")}`);
  const disposition = given.text("disposition");
  const wanted = given.text("id");
  const limit = given.number("limit", { from: 1, to: limitMax }) ?? limitDefault;
  const found =
    lookAtLog(session.config().config, (reader) => {
      const there = new Set(reader.topics().map(({ name }) => name));
      return names
        .filter((name) => there.has(name))
        .flatMap((name) =>
          reader.states(name).flatMap(({ partition, oldest, next }) => {
            const letters: Found[] = [];
            for (let at = oldest; at < next && letters.length < limit; ) {
              const records = reader.read(name, partition, at, batchRecords);
              for (const record of records) {
                const letter = readLetter(record);
                if (
                  letter &&
                  (disposition === undefined || letter.letter.disposition === disposition) &&
                  (wanted === undefined || letter.letter.id === wanted)
                )
                  letters.push(letter);
              }
              at = (records.at(-1)?.offset ?? next) + 1;
            }
            return letters;
          }),
        );
    }) ?? [];
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

const putBack = async (
  found: readonly Found[],
  session: Session,
): Promise<{ readonly stored: number; readonly known: number }> => {
  const { config } = session.config();
  const holder = logHolder(config);
  if (holder !== null) throw new Fault("conflict", holder);
  const { maxBytes, minFreeBytes } = config.data;
  const bus = await openSqliteBus({
    directory: logDirectory(config),
    maxBytes,
    minFreeBytes,
    clock: session.clock,
    log: silentLog,
  });
  try {
    await bus.ensure(declaredTopics);
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
        const found = findLetters(given, session);
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
        const found = findLetters(given, session);
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
