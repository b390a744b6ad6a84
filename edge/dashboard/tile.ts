/** One camera on the board: its picture, its state, its risk. */
import { element, setText } from "./dom.ts";
import { draw } from "./draw.ts";
import { type CameraModel, frameAgeMs, levelOfCamera, levelOfGroup, type Model, measuredFps } from "./model.ts";
import { duration, say } from "./text.ts";

export type Tile = {
  readonly root: HTMLElement;
  /** A detection result came, with or without a picture. */
  readonly detected: () => void;
  /** The figures beside the picture; called every half second too, since they age. */
  readonly refresh: (nowMs: number) => void;
  readonly remove: () => void;
};

const bytesOf = (dataUri: string): Uint8Array<ArrayBuffer> | null => {
  const comma = dataUri.indexOf(",");
  if (!dataUri.startsWith("data:image/jpeg;base64,")) return null;
  const text = atob(dataUri.slice(comma + 1));
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
};

const createParts = (id: number) => {
  const name = element("h3");
  const enlarge = element("button", { class: "small" });
  const remove = element("button", { class: "small", text: say("remove") });
  for (const button of [enlarge, remove]) button.type = "button";
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  const veil = element("p", { class: "veil" });
  const state = element("span", { class: "state" });
  const fps = element("span", { class: "figure" });
  const age = element("span", { class: "figure age" });
  const level = element("span", { class: "level" });
  const root = element(
    "article",
    { class: "tile", data: { camera: String(id) } },
    element(
      "div",
      { class: "head" },
      name,
      element("span", { class: "id", text: `#${id}` }),
      element("span", { class: "gap" }),
      remove,
      enlarge,
    ),
    element("div", { class: "picture" }, canvas, veil),
    element("div", { class: "foot" }, state, fps, age, level),
  );
  return { root, name, enlarge, remove, canvas, veil, state, fps, age, level };
};

/** The latest picture, decoded one at a time; one that comes while another is decoded waits, and only the last of those. */
const createPictures = (shown: (picture: ImageBitmap) => void) => {
  let waiting: string | null = null;
  let busy = false;
  const next = async (): Promise<void> => {
    const dataUri = waiting;
    waiting = null;
    const bytes = dataUri === null ? null : bytesOf(dataUri);
    if (!bytes) return;
    busy = true;
    try {
      shown(await createImageBitmap(new Blob([bytes], { type: "image/jpeg" })));
    } catch {
      // A broken picture: the next one comes soon.
    }
    busy = false;
    await next();
  };
  return (dataUri: string): void => {
    waiting = dataUri;
    if (!busy) void next();
  };
};

const resultsBeforePicture = 3;

export const createTile = (
  model: Model,
  camera: CameraModel,
  now: () => number,
  askRemoval: ((id: number, name: string) => void) | null,
): Tile => {
  const { root, name, enlarge, remove, canvas, veil, state, fps, age, level } = createParts(camera.id);
  const context = canvas.getContext("2d");
  let picture: ImageBitmap | null = null;
  let planned = 0;

  const paint = (): void => {
    planned = 0;
    const { detection } = camera;
    if (!context || !detection) return;
    const unit = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * unit);
    const height = Math.round(canvas.clientHeight * unit);
    if (width === 0) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const nowMs = now();
    const groups = detection.trafficGroups.map((group) => ({ group, level: levelOfGroup(camera, group, nowMs) }));
    draw(context, { ...detection, objects: detection.detectedObjects, groups, picture }, unit);
  };
  const plan = (): void => {
    planned ||= requestAnimationFrame(paint);
  };
  const decode = createPictures((decoded) => {
    picture?.close();
    picture = decoded;
    plan();
  });
  const resized = new ResizeObserver(plan);
  resized.observe(canvas);

  const setLarge = (large: boolean): void => {
    root.classList.toggle("large", large);
    enlarge.setAttribute("aria-pressed", String(large));
    setText(enlarge, say(large ? "shrink" : "enlarge"));
  };
  setLarge(false);
  enlarge.addEventListener("click", () => setLarge(!root.classList.contains("large")));

  remove.hidden = askRemoval === null;
  remove.addEventListener("click", () => askRemoval?.(camera.id, camera.name));

  const veilText = (): string => {
    if (camera.state !== "online" && camera.state !== "connecting") return camera.message || say(camera.state);
    if (!camera.detection) return say("waitingForPicture");
    // A picture is asked for when the tile comes into sight, and takes a moment.
    return picture || camera.arrivalsMs.length <= resultsBeforePicture ? "" : say("withoutPicture");
  };

  return {
    root,
    detected() {
      const frame = camera.detection?.frame;
      if (frame === undefined) plan();
      else decode(frame); // drawn together with its own boxes
    },
    refresh(nowMs) {
      const ageMs = frameAgeMs(camera, nowMs);
      const shown = levelOfCamera(model, camera, nowMs);
      setText(name, camera.name);
      name.title = camera.name;
      enlarge.setAttribute("aria-label", `${say(root.classList.contains("large") ? "shrink" : "enlarge")} ${camera.name}`);
      remove.setAttribute("aria-label", `${say("remove")} ${camera.name}`);
      const standing = model.linked ? camera.state : "unheard";
      setText(state, say(standing));
      state.dataset.state = standing;
      state.title = camera.message;
      fps.hidden = ageMs === null;
      setText(fps, say("perSecond", { fps: measuredFps(camera, nowMs).toFixed(1) }));
      setText(age, ageMs === null ? say("noFrame") : say("frameAge", { age: duration(ageMs) }));
      setText(level, say(shown));
      level.dataset.level = shown;
      root.dataset.level = shown;
      root.dataset.current = String(shown !== "unknown");
      const objects = camera.detection?.detectedObjects.length ?? 0;
      const groups = camera.detection?.trafficGroups.length ?? 0;
      canvas.setAttribute("aria-label", say("pictureOf", { name: camera.name, objects, groups, level: say(shown) }));
      const text = veilText();
      veil.hidden = text === "";
      setText(veil, text);
    },
    remove() {
      cancelAnimationFrame(planned);
      resized.disconnect();
      picture?.close();
      root.remove();
    },
  };
};
