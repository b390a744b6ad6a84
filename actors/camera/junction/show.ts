/** What one simulated camera shows, frame by frame: a scene of its own, drawn or not, or one that it shares. */
import type { Detection } from "../../../protocols/frame.ts";
import { type Random, randomInt } from "../../../runtime/random.ts";
import type { Size } from "../fit.ts";
import { beginsWithin, createSharedScenes } from "./many-viewers.ts";
import { createRenderer } from "./render.ts";
import { createScene, type SceneOptions } from "./scene.ts";
import { truthOf } from "./truth.ts";
import type { View } from "./view.ts";

export type Show = {
  readonly view: View;
  /** Of the picture in the slot. */
  readonly picture: Size;
  /** Goes on to this frame of the camera's. */
  readonly goTo: (frame: number) => void;
  readonly mediaTimeMs: () => number;
  /** Null where nothing is drawn. */
  readonly draw: ((pixels: Uint8Array) => void) | null;
  readonly truth: () => Detection[];
  readonly leave: () => void;
};

const ownShow = (options: SceneOptions, periodMs: number, isDrawn: boolean): Show => {
  const scene = createScene(options);
  return {
    view: scene.view,
    picture: scene.view,
    goTo: (frame) => scene.advanceTo(frame * periodMs),
    mediaTimeMs: scene.nowMs,
    draw: isDrawn ? createRenderer(scene).draw : null,
    truth: () => truthOf(scene.view, scene.objects()),
    leave: () => {},
  };
};

/** Nothing is drawn, so that evidence may be as small as the load test wants it. */
const smaller = 10;

const sharedScenes = createSharedScenes();

const sharedShow = (options: SceneOptions, periodMs: number, random: Random): Show => {
  const { view, truthAt, leave } = sharedScenes(options, periodMs);
  const first = randomInt(random, beginsWithin);
  let at = first;
  return {
    view,
    picture: { width: view.width / smaller, height: view.height / smaller },
    goTo: (frame) => {
      at = first + frame;
    },
    mediaTimeMs: () => at * periodMs,
    draw: null,
    truth: () => truthAt(at),
    leave,
  };
};

export const createShow = (
  { render, shared }: { readonly render: boolean; readonly shared: boolean },
  options: SceneOptions,
  periodMs: number,
  random: Random,
): Show => (shared ? sharedShow(options, periodMs, random) : ownShow(options, periodMs, render));
