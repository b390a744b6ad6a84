/**
 * `vedette drive`: sends work through the configured system and says whether all of it came out. On Kafka it writes detection
 * results itself. One process alone writes an embedded log, so there a simulated camera is the sender: in the running process,
 * or in one of this command's own.
 */
import type { LoadedConfig } from "../../config/load.ts";
import { topics } from "../../protocols/topics.ts";
import { type Command, exit, type Given, type Session, usageFault } from "./command.ts";
import { startOwnProcess } from "./drive/own-process.ts";
import type { Sender } from "./drive/sender.ts";
import { startSimulatedCamera } from "./drive/simulated-camera.ts";
import { createTally, type Tally, tallied } from "./drive/tally.ts";
import { readRecord } from "./record-text.ts";
import { logHolder } from "./records/embedded.ts";
import { declaredTopics, followRecords, openRecords, type Records, unknownTopic, until } from "./records.ts";
import { connectServer } from "./server.ts";

const modes = ["producer", "consumer", "e2e"] as const;
type Mode = (typeof modes)[number];
const countDefault = 5;
const countMax = 1_000_000;
const durationDefaultS = 60;
const timeoutDefaultS = 30;
const secondsMax = 86_400;
/** After the last message, tasks of frames still in work may follow for so long. */
const settleMs = 1_500;

type Wish = { readonly count: number; readonly durationMs: number; readonly timeoutMs: number };
type Times = Pick<Session, "clock" | "signal"> & Pick<Records, "pollMs">;
type Run = { readonly tally: Tally; readonly wish: Wish; readonly times: Times; readonly session: Session };

type Target = AsyncDisposable & { readonly loaded: LoadedConfig; readonly url: string; readonly token: string | undefined };

const openTarget = async (given: Given, loaded: LoadedConfig, session: Session): Promise<Target> => {
  const { config } = loaded;
  if (logHolder(config) !== null || given.text("server") !== undefined) {
    const { url, token } = connectServer(given, session);
    return { loaded, url, token, async [Symbol.asyncDispose]() {} };
  }
  session.note(`no process has ${config.data.dir}: driving one of this command's own, on a log in a temporary directory`);
  return startOwnProcess(session);
};

const acknowledged = (count: number, { wish, session }: Pick<Run, "wish" | "session">): number => {
  const counted = Math.min(count, wish.count);
  session.out(`producer: ${counted} of ${wish.count} messages acknowledged`);
  return counted === wish.count ? exit.ok : exit.failed;
};

/** What stands in the log is acknowledged. */
const untilLogged = async (sender: Sender, { tally, wish, times }: Run): Promise<void> => {
  await until(times, wish.durationMs, async () => {
    sender.check();
    await tally.pull();
    return tally.messages() >= wish.count && tally.tasks() > 0 ? true : null;
  });
  sender.stop();
};

const untilAnswered = async ({ tally, wish, times, session }: Run): Promise<number> => {
  const stoppedAtMs = session.clock.monotonicMs();
  await until(times, wish.timeoutMs, async () => {
    await tally.pull();
    const isQuiet = session.clock.monotonicMs() - stoppedAtMs >= settleMs;
    return isQuiet && tally.messages() >= wish.count && tally.tasks() > 0 && tally.unanswered().length === 0 ? true : null;
  });
  session.out(`e2e: ${tally.summary()}`);
  for (const taskId of tally.unanswered().slice(0, 10)) session.out(`  no result: ${taskId}`);
  if (tally.tasks() === 0) session.out("  no task was made: is a task generator running?");
  return tally.tasks() > 0 && tally.messages() >= wish.count && tally.unanswered().length === 0 ? exit.ok : exit.failed;
};

/** Follows before anything is sent, so that nothing is missed. */
const prepareRun = async (records: Records, wish: Wish, session: Session): Promise<(cameraId: number) => Run> => {
  const { clock, signal } = session;
  const follower = await followRecords(records, tallied, "end");
  const times = { clock, signal, pollMs: records.pollMs };
  return (cameraId) => ({ tally: createTally(follower, String(cameraId)), wish, times, session });
};

const sendByCamera = async (mode: Mode, given: Given, loaded: LoadedConfig, wish: Wish, session: Session): Promise<number> => {
  await using target = await openTarget(given, loaded, session);
  await using records = await openRecords(target.loaded, session);
  const runOf = await prepareRun(records, wish, session);
  await using sender = await startSimulatedCamera(target, session);
  const run = runOf(sender.cameraId);
  if (mode === "e2e") {
    await untilLogged(sender, run);
    return await untilAnswered(run); // awaited here: what is used above is let go when this returns
  }
  await until(run.times, Math.min(wish.durationMs, wish.timeoutMs), async () => {
    sender.check();
    await run.tally.pull();
    return run.tally.messages() >= wish.count ? true : null;
  });
  return acknowledged(run.tally.messages(), run);
};

const sendToKafka = async (mode: Mode, loaded: LoadedConfig, wish: Wish, session: Session): Promise<number> => {
  const { openKafkaSender } = await import("./drive/kafka-sender.ts");
  await using sender = await openKafkaSender(loaded, session);
  await using records = await openRecords(loaded, session);
  const run = (await prepareRun(records, wish, session))(sender.cameraId);
  const sent = await sender.send(wish.count);
  if (mode === "producer" || sent < wish.count) {
    const status = acknowledged(sent, run);
    sender.check();
    return status;
  }
  return await untilAnswered({ ...run, wish: { ...wish, timeoutMs: Math.max(wish.timeoutMs, wish.durationMs) } });
};

const consume = async (given: Given, loaded: LoadedConfig, wish: Wish, session: Session): Promise<number> => {
  const topic = given.text("topic") ?? topics.detections.name;
  const known = declaredTopics.map(({ name }) => name);
  if (!known.includes(topic)) throw unknownTopic(topic, known);
  await using records = await openRecords(loaded, session);
  const follower = await followRecords(records, [topic], "earliest");
  const { clock, signal } = session;
  let valid = 0;
  let invalid = 0;
  await until({ clock, signal, pollMs: records.pollMs }, wish.timeoutMs, async () => {
    for (let batch = await follower.take(); batch.length > 0 && valid < wish.count; batch = await follower.take())
      for (const record of batch) "message" in readRecord(record) ? valid++ : invalid++;
    return valid >= wish.count ? true : null;
  });
  session.out(`consumer: ${valid} valid messages from ${topic}${invalid > 0 ? `, ${invalid} that cannot be read` : ""}`);
  return valid >= wish.count ? exit.ok : exit.failed;
};

const wholeNumber = (given: Given): number | undefined => {
  const bounds = { from: 1, to: countMax };
  const count = given.number("count", bounds) ?? given.number("num-messages", bounds);
  if (count !== undefined && !Number.isInteger(count)) throw usageFault("--count takes a whole number");
  return count;
};

export const drive: Command = {
  name: "drive",
  does: "Sends work through the system and says whether all of it came out",
  actions: [
    {
      name: "",
      does: "",
      options: [
        { name: "mode", value: "producer|consumer|e2e", does: "what must hold, see below (default: e2e)" },
        { name: "count", value: "N", does: `so many messages (default: ${countDefault}; consumer: 1)` },
        { name: "num-messages", value: "N", does: "the same as --count" },
        { name: "duration", value: "S", does: `send for so many seconds at most (default: ${durationDefaultS})` },
        { name: "timeout", value: "S", does: `wait so many seconds for what must come (default: ${timeoutDefaultS})` },
        { name: "topic", value: "T", does: "consumer: the topic to read (default: detection-results)" },
        { name: "kafka-bootstrap", value: "H:P", does: "this Kafka cluster, instead of the configured bus" },
        {
          name: "server",
          value: "URL",
          does: "the process to drive (default: server.host and server.port of the configuration)",
        },
        { name: "token-env", value: "NAME", does: "the variable that holds the token (default: VEDETTE_TOKEN)" },
      ],
      async run(given, session) {
        const mode = modes.find((each) => each === (given.text("mode") ?? "e2e"));
        if (!mode) throw usageFault(`--mode takes ${modes.join(", ")}, not ${JSON.stringify(given.text("mode"))}`);
        const wish: Wish = {
          count: wholeNumber(given) ?? (mode === "consumer" ? 1 : countDefault),
          durationMs: (given.number("duration", { from: 1, to: secondsMax }) ?? durationDefaultS) * 1_000,
          timeoutMs: (given.number("timeout", { from: 1, to: secondsMax }) ?? timeoutDefaultS) * 1_000,
        };
        const brokers = given.text("kafka-bootstrap");
        const loaded = session.config(...(brokers === undefined ? [] : ["bus=kafka", `kafka.bootstrapServers=${brokers}`]));
        if (mode === "consumer") return consume(given, loaded, wish, session);
        if (loaded.config.bus.driver === "kafka") return sendToKafka(mode, loaded, wish, session);
        return sendByCamera(mode, given, loaded, wish, session);
      },
    },
  ],
  notes: [
    "producer  exit code 0 when N messages are acknowledged as durable",
    "consumer  exit code 0 when a valid message is there in time, from the oldest that is kept on",
    "e2e       exit code 0 when every task that was made has its result, and there was one",
    "",
    "On the embedded log the sender is a simulated camera, in the running process or, without one, in a process of the",
    "command's own. Configured keys are used: a model that is paid for is paid for these tasks, too.",
  ],
};
