/** Detection results written to Kafka, as the eyes write them. */
import type { LoadedConfig } from "../../../config/load.ts";
import { createCodec } from "../../../protocols/codec.ts";
import { DetectionResult } from "../../../protocols/detection.ts";
import { topics } from "../../../protocols/topics.ts";
import { Fault } from "../../../runtime/errors.ts";
import type { Session } from "../command.ts";
import { openKafka } from "../records/kafka.ts";
import { sampleDetection } from "./sample-detection.ts";
import type { Sender } from "./sender.ts";
import { simulatedId } from "./simulated-camera.ts";

export type KafkaSender = Sender & {
  /** Resolves with the number that is acknowledged. */
  readonly send: (count: number) => Promise<number>;
};

const batchMessages = 50;

export const openKafkaSender = async (loaded: LoadedConfig, session: Session): Promise<KafkaSender> => {
  const bus = await openKafka(loaded, session);
  const codec = createCodec([DetectionResult]);
  const cameraId = simulatedId(session.random);
  const { name, idOf, keyOf } = topics.detections;
  const members = Math.max(2, loaded.config.tasks.minMembers);
  let sent = 0;
  let isStopped = false;
  let failure: unknown = null;

  const sendBatch = async (count: number): Promise<number> => {
    const messages = Array.from({ length: count }, () => sampleDetection(cameraId, sent++, members, session));
    const records = messages.map((message) => ({
      ...{ topic: name, key: keyOf(message), id: idOf(message), type: message.type, trace: message.traceId },
      bytes: codec.encode(message),
    }));
    return (await bus.append(records)).length;
  };
  return {
    cameraId,
    async send(count) {
      let acknowledged = 0;
      try {
        while (acknowledged < count && !isStopped && !session.signal.aborted)
          acknowledged += await sendBatch(Math.min(batchMessages, count - acknowledged));
      } catch (thrown) {
        failure = thrown;
      }
      return acknowledged;
    },
    check() {
      if (failure !== null) throw failure instanceof Error ? failure : new Fault("unavailable", String(failure));
    },
    stop() {
      isStopped = true;
    },
    [Symbol.asyncDispose]: () => bus.close(),
  };
};
