/** The panel of the models: what they are asked, what that costs, what was not asked and why. Read anew while it is open. */
import { type Cancel, every, systemClock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { byId, element } from "./dom.ts";
import { http, type QuotaPage } from "./http.ts";
import { duration, isWord, language, say } from "./text.ts";

const refreshMs = 3_000;

const numberText = (value: number): string => value.toLocaleString(language, { maximumFractionDigits: value < 10 ? 2 : 0 });
/** A word of ours in the reader's language; another stays as it is. */
const wordText = (word: string): string => (isWord(word) ? say(word) : word);

const term = (name: string, value: string): HTMLElement =>
  element("div", {}, element("dt", { text: name }), element("dd", { text: value }));

const limitNames = ["rps", "rpm", "tps", "tpm"] as const;

const limitTexts = ({ limits, used }: QuotaPage["groups"][number]): string => {
  const parts = limitNames.flatMap((name) => {
    const limit = limits[name];
    return limit === undefined ? [] : [say(name, { used: numberText(used[name] ?? 0), limit: numberText(limit) })];
  });
  return parts.join(" · ") || say("noLimit");
};

const keyItem = (key: QuotaPage["groups"][number]["keys"][number]): HTMLElement => {
  const why = key.disabledBecause ?? (key.coolsForMs > 0 ? duration(key.coolsForMs) : "");
  const state = element("span", { class: "standing", text: wordText(key.state), data: { state: key.state } });
  const figures = `${key.id} ${key.masked} · ${say("callsToday", { n: numberText(key.today.calls) })} · ${Math.round(key.successRate * 100)} %`;
  return element("li", {}, state, element("span", { text: `${figures}${why === "" ? "" : ` · ${why}`}` }));
};

const groupItem = (group: QuotaPage["groups"][number], currency: string): HTMLElement => {
  const why = group.pausedBecause === null ? "" : `${duration(group.pausedForMs)}: ${group.pausedBecause}`;
  return element(
    "section",
    {},
    element(
      "h3",
      {},
      element("span", { class: "standing", text: wordText(group.state), data: { state: group.state } }),
      element("span", { text: `${group.name} · ${group.model}` }),
    ),
    ...(why === "" ? [] : [element("p", { class: "meta", text: why })]),
    element(
      "dl",
      {},
      term(say("inFlight"), `${group.inFlight} / ${group.inFlightMax}`),
      term(say("limitsUsed"), limitTexts(group)),
      term(
        say("today"),
        `${say("callsToday", { n: numberText(group.today.calls) })} · ${numberText(group.today.cost)} ${currency}`,
      ),
    ),
    element("ul", {}, ...group.keys.map(keyItem)),
  );
};

const spendItem = ({ spend, forecast }: QuotaPage): HTMLElement => {
  const { today, currency, caps, state } = spend;
  const cap = caps.day.hardCost ?? caps.day.softCost;
  const cost = `${numberText(today.cost)}${cap === undefined ? "" : ` / ${numberText(cap)}`} ${currency}`;
  const cameras = [forecast.camerasByQuota, forecast.camerasByBudget].filter((count) => count !== null);
  return element(
    "dl",
    { class: "figures" },
    term(say("costToday"), state === "within" ? cost : `${cost} · ${say(state === "soft" ? "budgetSoft" : "budgetHard")}`),
    term(say("tokensToday"), numberText(today.promptTokens + today.completionTokens)),
    term(say("camerasAffordable"), cameras.length === 0 ? "–" : numberText(Math.min(...cameras))),
  );
};

const avoidedItem = ({ avoided }: QuotaPage): HTMLElement => {
  const rows = avoided.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count);
  const total = rows.reduce((sum, { count }) => sum + count, 0);
  return element(
    "section",
    {},
    element("h3", { text: say("callsAvoided", { n: numberText(total) }) }),
    element("p", {
      class: "meta",
      text: rows.map(({ reason, count }) => `${wordText(reason)} ${numberText(count)}`).join(" · "),
    }),
  );
};

export const setUpQuota = (): void => {
  const dialog = byId("quota", HTMLDialogElement);
  const body = byId("quota-body", HTMLElement);
  let cancel: Cancel = () => {};

  const refresh = async (): Promise<void> => {
    try {
      const page = await http.quota();
      const groups = page.groups.map((group) => groupItem(group, page.spend.currency));
      const note = (text: string) => element("p", { class: "meta", text });
      const { missing } = page;
      const unknown = missing.length === 0 ? [] : [note(say("partsMissing", { roles: missing.join(", ") }))];
      const empty = missing.includes("scheduler") ? [] : [note(say("noModels"))];
      body.replaceChildren(spendItem(page), ...unknown, ...(groups.length > 0 ? groups : empty), avoidedItem(page));
    } catch (thrown) {
      body.replaceChildren(element("p", { class: "meta", text: say("failedRequest", { error: reasonOf(thrown) }) }));
    }
  };

  byId("quota-open", HTMLButtonElement).addEventListener("click", () => {
    void refresh();
    cancel = every(systemClock, refreshMs, () => void refresh());
    dialog.showModal();
  });
  byId("quota-close", HTMLButtonElement).addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => cancel());
};
