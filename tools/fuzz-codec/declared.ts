/** Every message that is declared, by the name of its golden bytes. */
import { DeadLetter } from "../../protocols/dead-letter.ts";
import { LiveDetection } from "../../protocols/detection.ts";
import { FrameCaptured, FrameDetected, FrameTracked } from "../../protocols/frame.ts";
import type { MessageDefinition } from "../../protocols/message.ts";
import { topics } from "../../protocols/topics.ts";
import { clientMessages, serverMessages } from "../../protocols/websocket.ts";

type Named = readonly [name: string, definition: MessageDefinition];
const named = (prefix: string, definitions: readonly MessageDefinition[]): readonly Named[] =>
  definitions.map((definition) => [`${prefix}${definition.type}`, definition]);

/** Some have other fields over the WebSocket than on the bus, and the same type: those of the WebSocket say so in their name. */
export const declared: ReadonlyMap<string, MessageDefinition> = new Map([
  ...named("", [FrameCaptured, FrameDetected, FrameTracked, LiveDetection, DeadLetter]),
  ...Object.values(topics).flatMap(({ messages }) => named("", messages)),
  ...named("websocket.", Object.values(clientMessages)),
  ...named("websocket.", Object.values(serverMessages)),
]);
