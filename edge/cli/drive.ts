/**
 * `vedette drive`: sends work through the configured system and says whether all of it came out. On the embedded log a
 * simulated camera is the sender, since one process alone writes that log: the running one, or one of this command's own.
 */
import type { Config } from "../../config/schema.ts";
import { topics } from "../../protocols/topics.ts";
import type { BusRecord } from "../../runtime/bus.ts";
import { Fault } from "../../runtime/errors.ts";
import { type Command, exit, type Given, type Session, usageFault } from "./command.ts";
import { startOwnProcess } from "./own-process.ts";
import { readRecord } from "./record-text.ts";
import { declaredTopics, type Follower, followLog, logHolder, until } from "./records.ts";
import { connectServer } from "./server.ts";
import { type Sender, startSimulatedCamera } from "./simulated-camera.ts";

const modes = ["producer", "consumer", "e2e"] as const;
const countDefault = 5;
const durationDefaultS = 60;
const timeoutDefaultS = 30;
const secondsMax = 86_400;
/** After the last message, tasks of frames still in work may follow for so long. */
const settleMs = 1_500;

type Wish = { readonly count: number; readonly durationMs: number; readonly timeoutMs: number };

type Target = AsyncDisposable & { readonly config: Config; readonly url: string; readonly token: string | undefined };

const openTarget = async (given: Given, session: Session): Promise<Target> => {
  const { config } = session.config();
  if (logHolder(config) !== null || given.text("server") !== undefined) {
    const { url, token } = connectServer(given, session);
    return { config, url, token, async [Symbol.asyncDispose]() {} };
  }
  session.note(`no process has ${config.data.dir}: driving one of this command's own, on a log in a temporary directory`);
  return startOwnProcess(session);
};

/** What has come of one camera's frames, as the topics say. */
export const createCount = (key: string) => {
  const detections = new Set<string>();
  const tasks = new Map<string, number>();
  const results = new Map<string, { readonly status: string; readonly tookMs: number }>();
  return {
    take(record: BusRecord): void {
      if (record.key !== key) return;
      const read = readRecord(record);
      if (!("message" in read)) return;
      if (record.topic === topics.detections.name) detections.add(record.id);
      // What the codec reads under this type has these fields.
      const fields = read.message as { taskId?: string; capturedAt?: number; results?: { status?: string }[] };
      if (record.topic === topics.tasks.name && fields.taskId !== undefined) tasks.set(fields.taskId, record.appendedAtMs);
      if (record.topic === topics.results.name && fields.taskId !== undefined && !results.has(fields.taskId)) {
        const tookMs = record.appendedAtMs - (fields.capturedAt ?? record.appendedAtMs);
        results.set(fields.taskId, { status: fields.results?.[0]?.status ?? "none", tookMs });
      }
    },
    messages: () => detections.size,
    tasks: () => tasks.size,
    unanswered: () => [...tasks.keys()].filter((taskId) => !results.has(taskId)),
    summary(): string {
      const answered = [...tasks.keys()].flatMap((taskId) => results.get(taskId) ?? []);
      const byStatus = Map.groupBy(answered, ({ status }) => status);
      const statuses = [...byStatus].map(([status, { length }]) => `${length} ${status}`).join(", ");
      const slowest = Math.max(0, ...answered.map(({ tookMs }) => tookMs));
      const times = answered.length > 0 ? `; slowest ${slowest} ms from capture` : "";
      return `${detections.size} messages, ${tasks.size} tasks, ${answered.length} results${statuses ? ` (${statuses})` : ""}${times}`;
    },
  };
};
type Count = ReturnType<typeof createCount>;

const pull = (follower: Follower, count: Count): void => {
  for (let records = follower.take(); records.length > 0; records = follower.take()) for (const each of records) count.take(each);
};

const produce = async (sender: Sender, count: Count, follower: Follower, wish: Wish, session: Session): Promise<number> => {
  await until(session, Math.min(wish.durationMs, wish.timeoutMs), () => {
    sender.check();
    pull(follower, count);
    return count.messages() >= wish.count ? true : null;
  });
  const acknowledged = Math.min(count.messages(), wish.count);
  session.out(`producer: ${acknowledged} of ${wish.count} messages acknowledged`);
  return acknowledged === wish.count ? exit.ok : exit.failed;
};

const endToEnd = async (sender: Sender, count: Count, follower: Follower, wish: Wish, session: Session): Promise<number> => {
  await until(session, wish.durationMs, () => {
    sender.check();
    pull(follower, count);
    return count.messages() >= wish.count && count.tasks() > 0 ? true : null;
  });
  sender.stop();
  const stoppedAtMs = session.clock.monotonicMs();
  await until(session, wish.timeoutMs, () => {
    pull(follower, count);
    const isQuiet = session.clock.monotonicMs() - stoppedAtMs >= settleMs;
    return isQuiet && count.unanswered().length === 0 ? true : null;
  });
  session.out(`e2e: ${count.summary()}`);
  for (const taskId of count.unanswered().slice(0, 10)) session.out(`  no result: ${taskId}`);
  if (count.tasks() === 0) session.out(`  no task was made in ${wish.durationMs / 1_000} s`);
  return count.tasks() > 0 && count.messages() >= wish.count && count.unanswered().length === 0 ? exit.ok : exit.failed;
};

const send = async (mode: "producer" | "e2e", given: Given, session: Session, wish: Wish): Promise<number> => {
  await using target = await openTarget(given, session);
  const names = [topics.detections, topics.tasks, topics.results].map(({ name }) => name);
  const follower = followLog(target.config, names, "end");
  await using sender = await startSimulatedCamera(target, session);
  const run = mode === "producer" ? produce : endToEnd;
  // Awaited here: what is used above is let go when this returns.
  return await run(sender, createCount(String(sender.cameraId)), follower, wish, session);
};

const consume = async (given: Given, session: Session, wish: Wish): Promise<number> => {
  const { config } = session.config();
  const topic = given.text("topic") ?? topics.detections.name;
  if (!declaredTopics.some(({ name }) => name === topic))
    throw new Fault("not_found", `there is no topic ${topic}: there are ${declaredTopics.map(({ name }) => name).join(", ")}`);
  const follower = followLog(config, [topic], "earliest");
  let valid = 0;
  let invalid = 0;
  await until(session, wish.timeoutMs, () => {
    for (let records = follower.take(); records.length > 0 && valid < wish.count; records = follower.take())
      for (const record of records) "message" in readRecord(record) ? valid++ : invalid++;
    return valid >= wish.count ? true : null;
  });
  session.out(`consumer: ${valid} valid messages from ${topic}${invalid > 0 ? `, ${invalid} that cannot be read` : ""}`);
  return valid >= wish.count ? exit.ok : exit.failed;
};

const wholeNumber = (given: Given): number | undefined => {
  const count = given.number("count", { from: 1, to: 1_000_000 }) ?? given.number("num-messages", { from: 1, to: 1_000_000 });
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
        return mode === "consumer" ? consume(given, session, wish) : send(mode, given, session, wish);
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
