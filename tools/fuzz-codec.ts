/**
 * `bun tools/fuzz-codec.ts --count N --seed S`: harmed, unfit and hostile bytes for every kind of message, judged by the codec
 * and by the library with zod. Ends with 1 at the first throw or difference; its seed shows it again with `--count 1`.
 */
import { parseArgs } from "node:util";
import { deadLettersOf } from "../protocols/dead-letter.ts";
import { LiveDetection } from "../protocols/detection.ts";
import { FrameCaptured, FrameDetected, FrameTracked } from "../protocols/frame.ts";
import type { MessageDefinition } from "../protocols/message.ts";
import { topics } from "../protocols/topics.ts";
import { clientMessages, serverMessages } from "../protocols/websocket.ts";
import { inputsPerCase, runCase, subjectsOf } from "./fuzz-codec/compare.ts";

export const everyMessage = (): readonly MessageDefinition[] => [
  FrameCaptured,
  FrameDetected,
  FrameTracked,
  LiveDetection,
  ...Object.values(topics).flatMap(({ messages }): readonly MessageDefinition[] => messages),
  ...deadLettersOf(topics.tasks).messages,
  ...Object.values(clientMessages),
  ...Object.values(serverMessages),
];

if (import.meta.main) {
  const { values } = parseArgs({
    options: { count: { type: "string", default: "100000" }, seed: { type: "string", default: "1" } },
  });
  const [count, first] = [Number(values.count), Number(values.seed)];
  const subjects = subjectsOf(everyMessage());
  const cases = Math.ceil(count / inputsPerCase);
  for (let seed = first; seed < first + cases; seed++) {
    const found = runCase(subjects, seed);
    if (!found) continue;
    process.stdout.write(`${found.what}\n${found.detail}\n`);
    process.exit(1);
  }
  process.stdout.write(`${cases * inputsPerCase} inputs, seeds ${first} to ${first + cases - 1}: no throw, no difference\n`);
}
