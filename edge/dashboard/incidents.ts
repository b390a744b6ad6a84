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

export const createIncidents = (nameOf: (cameraId: number) => string, mayLabel: () => boolean): Incidents => {
  const section = byId("incidents", HTMLElement);
  const list = byId("incident-list", HTMLElement);
  /** By id, in order of their coming. */
  const open = new Map<string, IncidentRow>();

  const buttonsOf = (incident: IncidentRow): HTMLElement => {
    const answer = element("span", { class: "meta" });
    const button = (label: boolean): HTMLButtonElement => {
      const made = element("button", { class: "quiet", text: say(label ? "ackTrue" : "ackFalse") });
      made.type = "button";
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
    const { id, level, hazard, cameraId, openedAt, ack } = incident;
    const time = element("time", { text: say("since", { time: timeOfDay(openedAt) }) });
    time.dateTime = new Date(openedAt).toISOString();
    const top = element(
      "div",
      { class: "top" },
      element("span", { class: "level", text: say(level), data: { level } }),
      element("span", { class: "who", text: nameOf(cameraId) }),
      time,
    );
    const what = element("p", { class: "said", text: isWord(hazard) ? say(hazard) : hazard });
    const below = ack ? [element("p", { class: "meta", text: ackText(ack) })] : mayLabel() ? [buttonsOf(incident)] : [];
    return element("li", { data: { incident: id } }, top, what, ...below);
  };

  const render = (): void => {
    // A button that is being pressed stays: only what differs is made anew.
    const newest = [...open.values()].sort((one, other) => other.openedAt - one.openedAt).slice(0, shownMax);
    section.hidden = newest.length === 0;
    list.replaceChildren(...newest.map(itemOf));
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
  const isTheSame = (one: IncidentRow | undefined, other: IncidentRow): boolean =>
    one !== undefined && one.level === other.level && other.phase !== "end" && (one.ack?.at === other.ack?.at || !other.ack);

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
