/** The list of what was judged, newest first. What could not be judged is said, never shown as harmless. */

import type { RiskLevel } from "../../protocols/ids.ts";
import type { Verdict } from "../../protocols/verdict.ts";
import { element } from "./dom.ts";
import { type FeedEntry, isShown, type Model, rankOf } from "./model.ts";
import { isWord, say, timeOfDay } from "./text.ts";

const assessor = ({ assessedBy }: Verdict): string =>
  assessedBy === "rules" ? say("byRules") : say("byModel", { model: assessedBy });

const metaOf = (verdict: Verdict): HTMLElement => {
  const meta = element("p", { class: "meta" });
  const parts: string[] = [];
  if (verdict.tamper)
    meta.append(element("span", { class: "failed", text: say("tamper", { text: verdict.pictureText?.join(" / ") ?? "" }) }));
  if (verdict.status !== "ok") meta.append(element("span", { class: "failed", text: say(verdict.status) }));
  if (verdict.verdict !== null) parts.push(`${say(verdict.verdict)} ${assessor(verdict)}`);
  const types = verdict.riskTypes.map((type) => (isWord(type) ? say(type) : type));
  if (types.length > 0) parts.push(types.join(", "));
  if (parts.length > 0) meta.append(meta.childNodes.length > 0 ? ` · ${parts.join(" · ")}` : parts.join(" · "));
  return meta;
};

const verdictOf = (verdict: Verdict): HTMLElement => {
  const said = element("p", { class: "said", text: verdict.description });
  return element("div", { class: "verdict" }, ...(verdict.description ? [said] : []), metaOf(verdict));
};

/** Worst first; what failed may be anything, so it stands above the harmless. */
const weightOf = ({ riskLevel }: Verdict): number => (riskLevel === null ? 0.5 : rankOf(riskLevel));

/** What is said of several groups in the same words is said once, with their number. */
const verdictsOf = (results: readonly Verdict[]): HTMLElement[] => {
  const alike = new Map<string, { readonly verdict: Verdict; count: number }>();
  for (const verdict of results.toSorted((one, other) => weightOf(other) - weightOf(one))) {
    const { description, status, assessedBy, riskTypes, tamper, pictureText } = verdict;
    const key = JSON.stringify([description, status, verdict.verdict, assessedBy, riskTypes, tamper, pictureText]);
    const found = alike.get(key);
    if (found) found.count += 1;
    else alike.set(key, { verdict, count: 1 });
  }
  return [...alike.values()].map(({ verdict, count }) => {
    const item = verdictOf(verdict);
    if (count > 1) item.lastElementChild?.append(` · ${say("groups", { count })}`);
    return item;
  });
};

const itemOf = ({ update, level }: FeedEntry, nameOf: (cameraId: number) => string): HTMLLIElement => {
  const time = element("time", { text: timeOfDay(update.capturedAt) });
  time.dateTime = new Date(update.capturedAt).toISOString();
  const top = element(
    "div",
    { class: "top" },
    element("span", { class: "level", text: say(level), data: { level } }),
    element("span", { class: "who", text: nameOf(update.cameraId) }),
    time,
  );
  const item = element("li", { data: { message: update.messageId } }, top, ...verdictsOf(update.results));
  if (!update.final) item.append(element("p", { class: "more", text: say("notFinal") }));
  else if (!update.complete) item.append(element("p", { class: "more", text: say("partial") }));
  return item;
};

export type Feed = {
  /** Brings the list to the model; items that did not change stay as they are. */
  readonly render: (model: Model, least: RiskLevel) => void;
};

export const createFeed = (list: HTMLElement, empty: HTMLElement, nameOf: (cameraId: number) => string): Feed => {
  let shown = new Map<string, { readonly entry: FeedEntry; readonly item: HTMLLIElement }>();
  let isFirst = true;

  return {
    render(model, least) {
      const next: typeof shown = new Map();
      const items: HTMLLIElement[] = [];
      for (const entry of model.feed) {
        if (!isShown(entry, least)) continue;
        const before = shown.get(entry.update.messageId);
        const item = before?.entry === entry ? before.item : itemOf(entry, nameOf);
        if (!before && !isFirst) item.classList.add("fresh");
        next.set(entry.update.messageId, { entry, item });
        items.push(item);
      }
      for (const { item } of shown.values()) if (!items.includes(item)) item.remove();
      items.forEach((item, index) => {
        if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
      });
      shown = next;
      isFirst &&= items.length === 0;
      empty.hidden = items.length > 0;
    },
  };
};
