/** Cameras of other processes: records come into the log from a bus that does not crash, so that what is acknowledged is known. */
import type { Codec } from "../../../protocols/codec.ts";
import type { Tagged } from "../../../protocols/message.ts";
import { topics } from "../../../protocols/topics.ts";
import type { Bus } from "../../../runtime/bus.ts";
import type { Clock } from "../../../runtime/clock.ts";
import { type Random, randomInt } from "../../../runtime/random.ts";
import { aDetectionResult, aGroup } from "../build.ts";
import type { Faults, Mix } from "./faults.ts";
import { garbagePrefix } from "./witness.ts";

export type SourcePorts = {
  readonly bus: Bus;
  readonly codec: Codec;
  readonly clock: Clock;
  readonly random: Random;
  readonly chance: (probability: number) => boolean;
  readonly faults: Faults;
  readonly load: Mix["load"];
  /** Hears the id of each record that was acknowledged. */
  readonly acknowledged: string[];
};

const cameras = 5;
/** Nothing changes before this one but what the rules say of it. */
const parkedCamera = 10;
const gapMs = 400;
const burst = { records: 25, gapMs: 6_000 };

/** Road users that stand so far from one another. */
export const standing = (minSpacing: number) => ({ spatial: { ...aGroup().spatial, minSpacing } });

/** What a poisonous record makes fail: the stage that hears this kind of message. */
const poisons = ["detection.result", "assessment.task", "assess", "assessment.result"];

export const createSource = ({ bus, codec, clock, random, chance, faults, load, acknowledged }: SourcePorts) => {
  const poison = new Map<string, string>();
  let seq = 0;
  let isOn = false;
  let runs = 0;

  const send = () => {
    const messageId = `m${String(seq).padStart(5, "0")}`;
    const cameraId = 10 + randomInt(random, cameras);
    const trafficGroups = Array.from({ length: randomInt(random, 4) }, (_, index) =>
      aGroup({
        groupIndex: index + 1,
        groupKey: `g${randomInt(random, 6)}`,
        objectCount: 1 + randomInt(random, 3),
        riskLevel: random.next() < 0.2 ? "high" : "low",
        // Elsewhere traffic moves: what is seen is another sight almost each time.
        ...(cameraId === parkedCamera ? {} : standing(10 * 3 ** randomInt(random, 6))),
      }),
    );
    const result = aDetectionResult({ messageId, cameraId, seq, capturedAt: clock.nowMs(), trafficGroups });
    seq++;
    if (chance(faults.poisonRecord)) poison.set(messageId, poisons[randomInt(random, poisons.length)] ?? "");
    const isGarbage = chance(faults.garbageRecord);
    const record = {
      topic: topics.detections.name,
      key: String(cameraId),
      id: isGarbage ? `${garbagePrefix}${seq}` : messageId,
      type: result.type,
      trace: result.traceId,
      bytes: isGarbage ? new Uint8Array([0xc1, 0xff]) : codec.encode(result),
    };
    bus.append([record]).then(
      () => {
        if (!isGarbage) acknowledged.push(messageId);
      },
      () => {}, // not acknowledged: nothing was promised
    );
  };

  const sendLater = (run: number) => {
    const isSteady = load === "steady";
    clock.after(randomInt(random, isSteady ? gapMs : burst.gapMs), () => {
      if (!isOn || run !== runs) return;
      for (let count = isSteady ? 1 : burst.records; count > 0; count--) send();
      sendLater(run);
    });
  };

  return {
    bus,
    start() {
      isOn = true;
      sendLater(++runs);
    },
    stop() {
      isOn = false;
    },
    /** Whether the message makes its stage fail, whenever it is delivered. */
    isPoison(message: Tagged): boolean {
      if (poison.size === 0 || !poisons.includes(message.type)) return false;
      const about = message as Tagged & { messageId?: string; requestId?: string; task?: { requestId: string } };
      const id = about.requestId ?? about.task?.requestId ?? about.messageId ?? "";
      return poison.get(id) === message.type;
    },
  };
};
