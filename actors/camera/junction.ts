/**
 * The source of a simulated camera: `sim://junction?seed=N[&fps=F][&act=A][&render=0[&shared=1]]`.
 *
 * `seed` is a whole number from 0; a seed always shows the same scene. `fps` overrides the camera's own rate. `act` is
 * one of the hazards, acted out every 20 seconds, or `none`; without it they come in a mixture from time to time.
 * `render=0` is for load tests: frames come with truth and a lease, but the slot's picture is left as it is. With
 * `shared=1` beside it all cameras of one address show one scene, each from another moment on, and the picture is small.
 *
 * Frames carry their exact truth, so the model input area of the slot is not filled.
 */
import { hazardTypes } from "../../protocols/detection.ts";
import type { Cancel } from "../../runtime/clock.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { letterbox, pictureSize } from "./fit.ts";
import { createBeat } from "./junction/beat.ts";
import { type ActChoice, isActChoice } from "./junction/director.ts";
import { pictureHeight as sceneHeight, pictureWidth as sceneWidth } from "./junction/scene.ts";
import { createShow, type Show } from "./junction/show.ts";
import type { OpenSource, SourceEvents, SourcePorts } from "./source.ts";

export type JunctionUrl = {
  readonly seed: number;
  /** The camera's own rate when absent. */
  readonly fps?: number;
  readonly act: ActChoice;
  readonly render: boolean;
  readonly shared: boolean;
};

const seedMax = 0xffff_ffff;
const fpsMin = 0.05;
const fpsMax = 30;
const shape = "sim://junction?seed=N[&fps=F][&act=A][&render=0[&shared=1]]";

const refuse = (parameter: string, text: string): never => {
  throw new Fault("source_refused", text, { details: { parameter } });
};

const readSeed = (text: string | undefined): number => {
  if (text === undefined) return refuse("seed", `seed is missing, expected ${shape}`);
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return seed <= seedMax ? seed : refuse("seed", `seed must be a whole number from 0 to ${seedMax}, not "${text.slice(0, 40)}"`);
};

const readFps = (text: string): number => {
  const fps = /^\d{1,3}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (fps >= fpsMin && fps <= fpsMax) return fps;
  return refuse("fps", `fps must be a number from ${fpsMin} to ${fpsMax}, not "${text.slice(0, 40)}"`);
};

const readAct = (text: string | undefined): ActChoice => {
  if (text === undefined) return "mixture";
  if (text !== "mixture" && isActChoice(text)) return text;
  return refuse("act", `act must be one of ${hazardTypes.join(", ")}, none, not "${text.slice(0, 40)}"`);
};

const readSwitch = (name: string, text: string | undefined, otherwise: boolean): boolean => {
  if (text === undefined) return otherwise;
  return text === "0" || text === "1" ? text === "1" : refuse(name, `${name} must be 0 or 1, not "${text.slice(0, 40)}"`);
};

const known = ["seed", "fps", "act", "render", "shared"];

/** Reads the address of a simulated junction; a `Fault` names the parameter that is wrong. */
export const parseJunctionUrl = (url: string): JunctionUrl => {
  const parts = /^sim:\/\/([^/?#]*)\/?(?:\?([^#]*))?$/i.exec(url);
  if (parts?.[1]?.toLowerCase() !== "junction") return refuse("url", `the only simulated scene is ${shape}`);
  const given = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(parts[2] ?? "")) {
    const shown = name.slice(0, 40);
    if (!known.includes(name)) refuse(shown, `there is no parameter "${shown}", expected ${shape}`);
    if (given.has(name)) refuse(name, `${name} is given twice`);
    given.set(name, value);
  }
  const fps = given.get("fps");
  const render = readSwitch("render", given.get("render"), true);
  const shared = readSwitch("shared", given.get("shared"), false);
  if (shared && render) refuse("shared", "shared=1 needs render=0: a picture is drawn of a scene of the camera's own");
  return {
    seed: readSeed(given.get("seed")),
    ...(fps === undefined ? {} : { fps: readFps(fps) }),
    act: readAct(given.get("act")),
    render,
    shared,
  };
};

const writeFrame = (show: Show, ports: SourcePorts, events: SourceEvents): void => {
  const { frames, clock } = ports;
  const lease = frames.acquire();
  if (!lease) {
    events.dropped("no_slot");
    return;
  }
  const { width, height } = show.view;
  const { width: pictureWidth, height: pictureHeight } = show.picture;
  let given = false;
  try {
    const { scale } = letterbox(show.view, frames.layout.inputSize);
    frames.setHeader(lease, { pictureWidth, pictureHeight, inputScale: scale });
    const capturedAt = clock.nowMs();
    show.draw?.(frames.picture(lease));
    const truth = show.truth();
    given = true;
    events.frame(
      { capturedAt, mediaTimeMs: show.mediaTimeMs(), segment: 0, imageWidth: width, imageHeight: height, truth },
      lease,
    );
  } finally {
    if (!given) frames.release(lease);
  }
};

/** One frame after another until `isClosed`; `failed` hears what went wrong, once. */
const play = (
  url: JunctionUrl,
  fps: number,
  ports: SourcePorts,
  events: SourceEvents,
  stage: {
    readonly isClosed: () => boolean;
    readonly failed: (reason: string) => void;
    readonly arm: (cancel: Cancel) => void;
    readonly left: (leave: () => void) => void;
  },
): void => {
  const { clock, frames, random } = ports;
  const periodMs = 1_000 / fps;
  const picture = { width: sceneWidth, height: sceneHeight };
  const { seed, act } = url;
  const size = pictureSize(picture, frames.layout.pictureBytes, sceneWidth);
  const show = createShow(url, { seed, act, ...size }, periodMs, random);
  stage.left(show.leave);
  // Many cameras opened at one moment share the processor better when their frames come at different moments.
  const beat = createBeat(periodMs, clock.monotonicMs() + periodMs * random.next());
  let isOnline = false;

  const showNext = () => {
    const due = beat.take(clock.monotonicMs());
    if (!due) return;
    for (let late = 0; late < due.late; late++) events.dropped("late");
    show.goTo(due.frame);
    if (!isOnline) events.state("online", `simulated junction, seed ${url.seed}`);
    isOnline = true;
    // A receiver may close the source from within an event.
    if (!stage.isClosed()) writeFrame(show, ports, events);
  };
  const next = () => {
    if (!stage.isClosed()) stage.arm(clock.after(beat.waitMs(clock.monotonicMs()), run));
  };
  const run = () => {
    try {
      showNext();
      next();
    } catch (thrown) {
      stage.failed(reasonOf(thrown));
    }
  };
  next();
};

/**
 * Plays the scene in real time: frame k stands for scene time k / fps and comes at that time after the first. Frames
 * that are late by more than a period are skipped, each counted as `late`; no two come within half a period.
 */
export const openJunction: OpenSource = (settings, ports, events) => {
  let cancel: Cancel = () => {};
  let leave = () => {};
  let closed = false;
  const failed = (reason: string) => {
    if (closed) return;
    closed = true;
    leave();
    events.state("failed", reason);
  };
  const stage = {
    isClosed: () => closed,
    failed,
    arm: (next: Cancel) => {
      cancel = next;
    },
    left: (whenClosed: () => void) => {
      leave = whenClosed;
    },
  };
  cancel = ports.clock.after(0, () => {
    events.state("connecting", "opening the simulated junction");
    if (closed) return;
    try {
      const url = parseJunctionUrl(settings.url);
      play(url, url.fps ?? settings.fps, ports, events, stage);
    } catch (thrown) {
      failed(reasonOf(thrown));
    }
  });
  return {
    async close() {
      closed = true;
      cancel();
      leave();
    },
  };
};
