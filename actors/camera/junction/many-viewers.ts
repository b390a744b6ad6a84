/**
 * Scenes for load tests: the cameras of one address show one scene, computed once for all of them, each from another moment on.
 * So thousands of cameras cost little more than what is asked about, which is everything behind the detector.
 */
import type { Detection } from "../../../protocols/frame.ts";
import { createScene, type SceneOptions } from "./scene.ts";
import { truthOf } from "./truth.ts";
import type { View } from "./view.ts";

export type SharedScene = {
  readonly view: View;
  /** What is to be seen in frame `frame` of the scene. Of those long past the oldest that is kept is shown. */
  readonly truthAt: (frame: number) => Detection[];
  readonly leave: () => void;
};

/** Cameras begin at one of the first frames, so that what happens does not happen to all at once. */
export const beginsWithin = 40;
const framesKept = 3 * beginsWithin;

type Playing = Omit<SharedScene, "leave"> & { viewers: number };

const play = (options: SceneOptions, periodMs: number): Playing => {
  const scene = createScene(options);
  const frames = new Map<number, Detection[]>();
  let next = 0;
  const truthAt = (frame: number): Detection[] => {
    for (; next <= frame; next++) {
      scene.advanceTo(next * periodMs);
      frames.set(next, truthOf(scene.view, scene.objects()));
      frames.delete(next - framesKept);
    }
    return frames.get(Math.max(frame, next - framesKept)) ?? [];
  };
  return { view: scene.view, truthAt, viewers: 0 };
};

export const createSharedScenes = () => {
  const playing = new Map<string, Playing>();
  return (options: SceneOptions, periodMs: number): SharedScene => {
    const key = JSON.stringify([options.seed, options.act, options.width, options.height, periodMs]);
    const scene = playing.get(key) ?? play(options, periodMs);
    playing.set(key, scene);
    scene.viewers++;
    let hasLeft = false;
    return {
      view: scene.view,
      truthAt: scene.truthAt,
      leave() {
        if (hasLeft) return;
        hasLeft = true;
        if (--scene.viewers === 0) playing.delete(key);
      },
    };
  };
};
