/** The incidents that are open, above the results: what lasts, and two buttons to say whether it was a danger indeed. */
import { reasonOf } from "../../runtime/errors.ts";
import { byId, element, setText } from "./dom.ts";
import { http, type IncidentRow } from "./http.ts";
import { isWord, say, timeOfDay } from "./text.ts";

const shownMax = 20;
const keptMax = 200;

export type Incidents = {
  readonly take: (incident: IncidentRow) => void;
  /** Reads those that are open; needed after each connection, since what ended meanwhile was not told. */
  readonly load: () => Promise<void>;
};

const ackText = ({ label, by }: NonNullable<IncidentRow["ack"]>): string => say(label ? "ackedTrue" : "ackedFalse", { by });

const hazardText = ({ hazard }: IncidentRow): string => (isWord(hazard) ? say(hazard) : hazard);

/** The newest of its pictures; the whole of it at a click. */
const pictureOf = (evidenceId: string, what: string): HTMLElement => {
  const image = element("img");
  Object.assign(image, { src: `/api/evidence/${encodeURIComponent(evidenceId)}`, alt: what });
  const link = element("a", { class: "evidence" }, image);
  Object.assign(link, { href: image.src, target: "_blank", rel: "noopener" });
  image.addEventListener("error", () => link.remove()); // taken by retention
  return link;
};

/** Whether there is nothing to show anew. */
const isTheSame = (one: IncidentRow | undefined, other: IncidentRow): boolean =>
  one !== undefined &&
  one.level === other.level &&
  other.phase !== "end" &&
  one.evidenceIds.at(-1) === other.evidenceIds.at(-1) &&
  (one.ack?.at === other.ack?.at || !other.ack);

export const createIncidents = (nameOf: (cameraId: number) => string, mayLabel: () => boolean): Incidents => {
  const section = byId("incidents", HTMLElement);
  const list = byId("incident-list", HTMLElement);
  /** By id, in order of their coming. */
  const open = new Map<string, IncidentRow>();
  let shown = new Map<string, { readonly row: IncidentRow; readonly item: HTMLLIElement }>();

  const buttonsOf = (incident: IncidentRow): HTMLElement => {
    const answer = element("span", { class: "meta" });
    const button = (label: boolean): HTMLButtonElement => {
      const made = element("button", { class: "quiet", text: say(label ? "ackTrue" : "ackFalse") });
      made.type = "button";
      made.setAttribute("aria-label", `${made.textContent}: ${hazardText(incident)}, ${nameOf(incident.cameraId)}`);
      made.addEventListener("click", () => {
        for (const each of [yes, no]) each.disabled = true;
        http.label(incident.id, label).then(take, (thrown) => {
          for (const each of [yes, no]) each.disabled = false;
          setText(answer, say("failedRequest", { error: reasonOf(thrown) }));
        });
      });
      return made;
    };
    const [yes, no] = [button(true), button(false)];
    return element("div", { class: "labels" }, yes, no, answer);
  };

  const itemOf = (incident: IncidentRow): HTMLLIElement => {
    const { id, level, cameraId, openedAt, evidenceIds, ack } = incident;
    const time = element("time", { text: say("since", { time: timeOfDay(openedAt) }) });
    time.dateTime = new Date(openedAt).toISOString();
    const top = element(
      "div",
      { class: "top" },
      element("span", { class: "level", text: say(level), data: { level } }),
      element("span", { class: "who", text: nameOf(cameraId) }),
      time,
    );
    const hazard = hazardText(incident);
    const what = element("p", { class: "said", text: hazard });
    const below = ack ? [element("p", { class: "meta", text: ackText(ack) })] : mayLabel() ? [buttonsOf(incident)] : [];
    const picture = evidenceIds.at(-1);
    const shown = picture === undefined ? [] : [pictureOf(picture, say("evidenceOf", { hazard, name: nameOf(cameraId) }))];
    return element("li", { data: { incident: id } }, top, ...shown, what, ...below);
  };

  /** A button that is being pressed or has the focus stays: only what differs is made anew. */
  const render = (): void => {
    const newest = [...open.values()].sort((one, other) => other.openedAt - one.openedAt).slice(0, shownMax);
    section.hidden = newest.length === 0;
    const next: typeof shown = new Map();
    for (const row of newest) {
      const before = shown.get(row.id);
      next.set(row.id, before && isTheSame(before.row, row) ? before : { row, item: itemOf(row) });
    }
    for (const { item } of shown.values()) if (![...next.values()].some((kept) => kept.item === item)) item.remove();
    [...next.values()].forEach(({ item }, index) => {
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    shown = next;
  };

  const note = (incident: IncidentRow): void => {
    const known = open.get(incident.id);
    if (incident.phase === "end") open.delete(incident.id);
    // A later revision does not repeat what somebody said.
    else open.set(incident.id, { ...incident, ...((incident.ack ?? known?.ack) ? { ack: incident.ack ?? known?.ack } : {}) });
    for (const oldest of open.keys()) {
      if (open.size <= keptMax) break;
      open.delete(oldest);
    }
  };
  const take = (incident: IncidentRow): void => {
    const known = open.get(incident.id);
    note(incident);
    // Most revisions say no more than that it lasts.
    if (!isTheSame(known, incident)) render();
  };

  return {
    take,
    async load() {
      const rows = await http.incidents();
      open.clear();
      for (const row of rows.toReversed()) note(row);
      render();
    },
  };
};
