/** The dashboard: cameras and their risks, live. */
import type { RiskLevel } from "../../protocols/ids.ts";
import type { ServerMessage } from "../../protocols/websocket.ts";
import { type Cancel, every, systemClock } from "../../runtime/clock.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { systemRandom } from "../../runtime/random.ts";
import { connectLive, type LinkState, type LiveClient } from "../client.ts";
import { logIn, setUpAdding, setUpRemoving } from "./dialogs.ts";
import { byId, element, setText } from "./dom.ts";
import { createFeed } from "./feed.ts";
import { http } from "./http.ts";
import { createIncidents } from "./incidents.ts";
import { cameraOf, createModel, noteDetection, noteRisk, noteSnapshot, totalsOf } from "./model.ts";
import { setUpQuota } from "./quota.ts";
import { isWord, language, say, timeOfDay } from "./text.ts";
import { createTile, type Tile } from "./tile.ts";

const framesPerSecond = 5;
const announceEveryMs = 5_000;

const model = createModel();
const tiles = new Map<number, Tile>();
const visible = new Set<number>();
const now = systemClock.nowMs;

const board = byId("tiles", HTMLElement);
const level = byId("level", HTMLSelectElement);
const nameOf = (id: number): string => model.cameras.get(id)?.name ?? say("camera", { id });
const feed = createFeed(byId("feed", HTMLElement), byId("no-risks", HTMLElement), nameOf);
let mayOperate = false;
let askRemoval: (id: number, name: string) => void = () => {};
const incidents = createIncidents(nameOf, () => mayOperate);
let client: LiveClient | null = null;
let feedPlanned = false;
let unseen = 0;

const translate = (): void => {
  document.documentElement.lang = language;
  for (const each of document.querySelectorAll<HTMLElement>("[data-text]")) {
    const word = each.dataset.text ?? "";
    if (isWord(word)) setText(each, say(word));
  }
};

/** Pictures are asked for only where they are seen. */
const wish = () => ({ maxFps: framesPerSecond, frames: document.hidden ? [] : [...visible].slice(0, 256) });
const askFrames = (): void => client?.subscribe(wish());
let cancelAsking: Cancel = () => {};
const planAsking = (): void => {
  cancelAsking();
  cancelAsking = systemClock.after(150, askFrames);
};
const sight = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    const id = Number(target instanceof HTMLElement ? target.dataset.camera : Number.NaN);
    if (isIntersecting) visible.add(id);
    else visible.delete(id);
  }
  planAsking();
});

const tileOf = (id: number): Tile => {
  const found = tiles.get(id);
  if (found) return found;
  const tile = createTile(model, cameraOf(model, id, say("camera", { id })), now, mayOperate ? askRemoval : null);
  tiles.set(id, tile);
  const after = [...tiles.keys()].filter((other) => other > id).sort((one, other) => one - other)[0];
  board.insertBefore(tile.root, (after === undefined ? null : tiles.get(after)?.root) ?? null);
  sight.observe(tile.root);
  tile.refresh(now());
  return tile;
};
const removeCamera = (id: number): void => {
  const tile = tiles.get(id);
  if (tile) {
    sight.unobserve(tile.root);
    tile.remove();
  }
  tiles.delete(id);
  visible.delete(id);
  model.cameras.delete(id);
};

/** Reads the list of cameras; whatever is not in it is gone. */
const loadCameras = async (): Promise<void> => {
  const rows = await http.cameras();
  const listed = new Set(rows.map(({ id }) => id));
  for (const id of [...model.cameras.keys()]) if (!listed.has(id)) removeCamera(id);
  for (const { id, name, state, message } of rows) {
    Object.assign(cameraOf(model, id, name), { name, state, message });
    tileOf(id).refresh(now());
  }
  byId("no-cameras", HTMLElement).hidden = rows.length > 0;
};
let isLoading = false;
const reload = (): void => {
  if (isLoading) return;
  isLoading = true;
  void loadCameras()
    .catch((thrown) => {
      // The session ended: the page begins anew, and asks for a token.
      if (thrown instanceof Fault && thrown.code === "unauthorized") location.reload();
    })
    .finally(() => {
      isLoading = false;
    });
};

const renderFeed = (): void => {
  feedPlanned = false;
  feed.render(model, level.value as RiskLevel); // the options of the select are risk levels
  const count = byId("unseen", HTMLElement);
  count.hidden = unseen === 0;
  setText(count, String(unseen));
};
const planFeed = (): void => {
  if (feedPlanned) return;
  feedPlanned = true;
  requestAnimationFrame(renderFeed);
};

let announcedAtMs = 0;
const announce = (update: Extract<ServerMessage, { type: "risk_update" }>["data"]): void => {
  if (update.maxRiskLevel !== "high" || now() - update.capturedAt > 60_000) return;
  if (document.body.dataset.view === "cameras") unseen += 1;
  if (now() - announcedAtMs < announceEveryMs) return;
  announcedAtMs = now();
  setText(byId("announce", HTMLElement), `${say("high")}: ${nameOf(update.cameraId)}. ${update.results[0]?.description ?? ""}`);
};

/** A remark between the results, e.g. that some were missed. */
const remark = (text: string): void => {
  const item = element("li", { class: "remark" }, element("p", { class: "meta", text }));
  byId("feed", HTMLElement).prepend(item);
  systemClock.after(60_000, () => item.remove());
};

const take = (message: ServerMessage): void => {
  if (message.type === "connection_ack") {
    reload();
    void incidents.load().catch(() => {}); // the store is away: what comes is shown all the same
  } else if (message.type === "detection_result") {
    const { cameraId } = message.data;
    if (!tiles.has(cameraId)) reload();
    noteDetection(cameraOf(model, cameraId, nameOf(cameraId)), message.data, now());
    tileOf(cameraId).detected();
  } else if (message.type === "camera_status") {
    const { cameraId, state, message: text } = message.data;
    const camera = model.cameras.get(cameraId);
    if (camera) {
      Object.assign(camera, { state, message: text });
      tileOf(cameraId).refresh(now());
    } else reload();
  } else if (message.type === "stream_stopped") {
    reload();
  } else if (message.type === "risk_update") {
    if (!noteRisk(model, message.data, now())) return;
    announce(message.data);
    planFeed();
  } else if (message.type === "incident") {
    incidents.take(message.data);
  } else if (message.type === "lagged") {
    const { missed } = message.data;
    remark(missed < 0 ? say("missedUnknown") : say("missed", { count: missed }));
  }
};

const showLink = ({ status, staleSinceMs, retryAtMs }: LinkState): void => {
  const time = staleSinceMs === null ? "" : timeOfDay(staleSinceMs);
  const seconds = Math.max(0, Math.ceil(((retryAtMs ?? now()) - now()) / 1000));
  const hadData = [...model.cameras.values()].some(({ detection }) => detection !== null);
  const texts = {
    open: say("linkOpen"),
    connecting: hadData ? say("linkReconnecting", { time }) : say("linkConnecting"),
    waiting: say("linkWaiting", { time }),
    closed: say("linkClosed"),
  };
  model.linked = status === "open";
  byId("link", HTMLElement).dataset.status = status;
  setText(byId("link-text", HTMLElement), texts[status]);
  // Apart from the status, which a screen reader tells whenever it changes.
  const retry = byId("retry", HTMLElement);
  retry.hidden = status !== "waiting";
  setText(retry, say("nextTry", { seconds }));
};

const tick = (): void => {
  const nowMs = now();
  for (const tile of tiles.values()) tile.refresh(nowMs);
  const totals = totalsOf(model, nowMs);
  setText(byId("total-cameras", HTMLElement), `${totals.online ?? "–"} / ${totals.cameras}`);
  setText(byId("total-fps", HTMLElement), totals.fps.toFixed(1));
  setText(byId("total-high", HTMLElement), String(totals.high));
  if (client) showLink(client.state());
};

const setUpViews = (): void => {
  const buttons = { cameras: byId("view-cameras", HTMLButtonElement), risks: byId("view-risks", HTMLButtonElement) };
  const show = (view: keyof typeof buttons): void => {
    document.body.dataset.view = view;
    for (const [name, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String(name === view));
    if (view === "risks") unseen = 0;
    planFeed();
  };
  buttons.cameras.addEventListener("click", () => show("cameras"));
  buttons.risks.addEventListener("click", () => show("risks"));
  level.addEventListener("change", planFeed);
  document.addEventListener("visibilitychange", planAsking);
};

const begin = async (): Promise<void> => {
  translate();
  setUpViews();
  setUpAdding(reload);
  askRemoval = setUpRemoving(reload);
  setUpQuota();
  const session = await http.session();
  if (!session.open && session.name === null) await logIn();
  const logout = byId("logout", HTMLButtonElement);
  logout.hidden = session.open;
  logout.addEventListener("click", () => void http.logout().then(() => location.reload()));
  const isViewer = !session.open && (await http.session()).role === "viewer";
  mayOperate = !isViewer;
  byId("add-open", HTMLButtonElement).hidden = isViewer;
  await loadCameras(); // so that whatever comes has its name
  for (const result of await http.snapshot()) {
    noteSnapshot(model, result);
    tiles.get(result.cameraId)?.detected();
  }
  client = connectLive({
    url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
    clock: systemClock,
    random: systemRandom,
    from: "",
    message: take,
    state: showLink,
    subscribe: wish(), // tiles may have come into sight long ago
  });
  every(systemClock, 500, tick);
};

void begin().catch((thrown) => {
  showLink({ status: "closed", staleSinceMs: null, attempts: 0, retryAtMs: null });
  setText(byId("link-text", HTMLElement), say("failedRequest", { error: reasonOf(thrown) }));
});
