/** What one client wants to hear, and the publish topics that give it that. Pure. */
import { type DataOfClient, type StreamType, streamTypes } from "../../protocols/websocket.ts";
import type { Form } from "./wire.ts";

export type Wish = {
  /** Null is every camera. */
  readonly cameraIds: ReadonlySet<number> | null;
  readonly types: ReadonlySet<StreamType>;
  /** Null is as fast as they come. */
  readonly maxFps: number | null;
  readonly frames: boolean | ReadonlySet<number>;
};

/** Detection results of one rate, with or without pictures. Clients that share a channel share each message. */
export type Channel = { readonly name: string; readonly maxFps: number | null; readonly frames: boolean };

export const channelOf = (maxFps: number | null, frames: boolean): Channel => ({
  name: `${frames ? "frames" : "boxes"}@${maxFps ?? "all"}`,
  maxFps,
  frames,
});

/** The publish topic for every camera, or for one. */
export const topicOf = (name: string, cameraId: number | null): string => `${name}/${cameraId ?? "*"}`;

/** The same publish topic for the clients of one form. */
export const inForm = (topic: string, form: Form): string => (form === "json" ? topic : `${topic}#${form}`);

/** A wish within `scope`, the cameras that the client may see at all. */
export const wishOf = (asked: DataOfClient<"subscribe">, scope: ReadonlySet<number> | null): Wish => {
  const ids = asked.cameraIds ? new Set(asked.cameraIds) : null;
  return {
    cameraIds: ids && scope ? ids.intersection(scope) : (ids ?? scope),
    types: new Set(asked.types ?? streamTypes),
    // Tenths, so that the number of channels stays small whatever clients ask for.
    maxFps: asked.maxFps === undefined ? null : Math.max(0.1, Math.round(asked.maxFps * 10) / 10),
    frames: Array.isArray(asked.frames) ? new Set(asked.frames) : (asked.frames ?? false),
  };
};

export const wants = (wish: Wish, type: StreamType, cameraId: number): boolean =>
  wish.types.has(type) && (wish.cameraIds?.has(cameraId) ?? true);

/** The channels a wish may draw on: two when only some cameras shall come with pictures. */
export const channelsOf = (wish: Wish): readonly Channel[] => {
  if (!wish.types.has("detection_result")) return [];
  if (typeof wish.frames === "boolean") return [channelOf(wish.maxFps, wish.frames)];
  return [channelOf(wish.maxFps, false), channelOf(wish.maxFps, true)];
};

export const detectionTopic = (wish: Wish, cameraId: number): string => {
  const frames = typeof wish.frames === "boolean" ? wish.frames : wish.frames.has(cameraId);
  return topicOf(channelOf(wish.maxFps, frames).name, cameraId);
};

/** Every camera, but pictures of some only: no single topic says that, so such a client is added camera by camera. */
export const isPerCamera = (wish: Wish): boolean =>
  wish.types.has("detection_result") && wish.cameraIds === null && typeof wish.frames !== "boolean";

/** Topics of detection results; `seen` are the cameras known so far. */
export const detectionTopics = (wish: Wish, seen: Iterable<number>): readonly string[] => {
  if (!wish.types.has("detection_result")) return [];
  if (isPerCamera(wish)) return [...seen].map((id) => detectionTopic(wish, id));
  if (wish.cameraIds) return [...wish.cameraIds].map((id) => detectionTopic(wish, id));
  return channelsOf(wish).map(({ name }) => topicOf(name, null));
};

/** Topics of everything else. */
export const eventTopics = (wish: Wish): readonly string[] => {
  const names: string[] = [];
  for (const type of wish.types) {
    if (type === "detection_result") continue;
    if (wish.cameraIds) for (const id of wish.cameraIds) names.push(topicOf(type, id));
    else names.push(topicOf(type, null));
  }
  return names;
};
