/** Starts and stops the camera actors. Those with pictures to look at wait until it is known whether there is a model. */
import type { CameraArgs } from "../actors/camera.ts";
import type { CameraSettings } from "../protocols/camera.ts";
import type { Fleet } from "./cameras/book.ts";

export type Eyes = {
  readonly start: (key: string, args: CameraArgs) => void;
  readonly stop: (key: string) => void;
};

/** A simulated scene brings its own truth and needs no model. */
const needsModel = ({ url }: CameraSettings): boolean => !url.startsWith("sim:");

export const createFleet = (
  eyes: Eyes,
  equipment: Omit<CameraArgs, "settings" | "ownerEpoch">,
  withLogin: (settings: CameraSettings) => CameraSettings,
): Fleet & { readonly isWaiting: () => boolean; readonly release: () => void } => {
  const waiting = new Map<number, CameraArgs>();
  let released = false;
  return {
    start(settings, ownerEpoch) {
      const args = { ...equipment, settings: withLogin(settings), ownerEpoch };
      if (released || !needsModel(settings)) eyes.start(String(settings.id), args);
      else waiting.set(settings.id, args);
    },
    stop(id) {
      if (!waiting.delete(id)) eyes.stop(String(id));
    },
    isWaiting: () => waiting.size > 0,
    release() {
      released = true;
      for (const [id, args] of waiting) eyes.start(String(id), args);
      waiting.clear();
    },
  };
};
