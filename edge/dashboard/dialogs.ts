/** The forms: adding a camera, removing one, and logging in. */

import type { ProbeResult } from "../../actors/camera/source.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { byId, setText } from "./dom.ts";
import { http } from "./http.ts";
import { say } from "./text.ts";

type Kind = "" | "good" | "bad";
const answerIn = (target: HTMLElement) => (text: string, kind: Kind) => {
  setText(target, text);
  target.dataset.kind = kind;
};

const describe = ({ codec, width, height, fps }: ProbeResult): string => {
  const size = width && height ? `${width}×${height}` : "";
  return [codec ?? "", size, fps ? say("perSecond", { fps: fps.toFixed(0) }) : ""].filter((part) => part !== "").join(" ");
};

export const setUpAdding = (added: () => void): void => {
  const dialog = byId("add", HTMLDialogElement);
  const name = byId("add-name", HTMLInputElement);
  const url = byId("add-url", HTMLInputElement);
  const fps = byId("add-fps", HTMLInputElement);
  const fields = { name, url, fps };
  const answer = answerIn(byId("add-answer", HTMLElement));
  const buttons = [
    byId("add-check", HTMLButtonElement),
    ...byId("add-form", HTMLFormElement).querySelectorAll<HTMLButtonElement>("[type=submit]"),
  ];

  const mark = (field: string | null): void => {
    for (const [key, input] of Object.entries(fields)) {
      if (key === field) {
        input.setAttribute("aria-invalid", "true");
        input.focus();
      } else input.removeAttribute("aria-invalid");
    }
  };
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    for (const button of buttons) button.disabled = true;
    mark(null);
    try {
      await work();
    } catch (thrown) {
      const field = thrown instanceof Fault ? thrown.details.field : null;
      answer(thrown instanceof Fault ? thrown.message : say("failedRequest", { error: reasonOf(thrown) }), "bad");
      mark(typeof field === "string" ? field : null);
    }
    for (const button of buttons) button.disabled = false;
  };
  /** The first field that the browser itself finds wanting. */
  const incomplete = (): boolean => {
    const bad = Object.entries(fields).find(([, input]) => !input.checkValidity());
    if (!bad) return false;
    mark(bad[0]);
    answer(bad[1].validationMessage, "bad");
    return true;
  };

  byId("add-open", HTMLButtonElement).addEventListener("click", () => {
    answer("", "");
    mark(null);
    dialog.showModal();
    name.focus();
  });
  byId("add-cancel", HTMLButtonElement).addEventListener("click", () => dialog.close());
  byId("add-check", HTMLButtonElement).addEventListener("click", () => {
    if (!url.checkValidity()) {
      mark("url");
      answer(url.validationMessage, "bad");
      return;
    }
    answer(say("checking"), "");
    void attempt(async () => {
      const found = await http.check(url.value.trim());
      if (found.ok) answer(say("checkGood", { what: describe(found), latency: Math.round(found.latencyMs) }), "good");
      else answer(say("checkBad", { error: found.error ?? "" }), "bad");
    });
  });
  byId("add-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    if (incomplete()) return;
    void attempt(async () => {
      await http.add({ name: name.value.trim(), url: url.value.trim(), fps: fps.valueAsNumber });
      dialog.close();
      name.value = "";
      url.value = "";
      added();
    });
  });
};

/** What it gives back asks whether a camera is to go. */
export const setUpRemoving = (removed: () => void): ((id: number, name: string) => void) => {
  const dialog = byId("remove", HTMLDialogElement);
  const answer = answerIn(byId("remove-answer", HTMLElement));
  let asked = 0;
  byId("remove-cancel", HTMLButtonElement).addEventListener("click", () => dialog.close());
  byId("remove-form", HTMLFormElement).addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await http.remove(asked);
      dialog.close();
      removed();
    } catch (thrown) {
      answer(thrown instanceof Fault ? thrown.message : say("failedRequest", { error: reasonOf(thrown) }), "bad");
    }
  });
  return (id, name) => {
    asked = id;
    answer("", "");
    setText(byId("remove-title", HTMLElement), say("removeCamera", { name }));
    dialog.showModal();
  };
};

/** Asks for a token until one is taken. */
export const logIn = (): Promise<void> =>
  new Promise((resolve) => {
    const dialog = byId("login", HTMLDialogElement);
    const token = byId("login-token", HTMLInputElement);
    const answer = answerIn(byId("login-answer", HTMLElement));
    const hold = (event: Event): void => event.preventDefault(); // there is nothing to see without a token
    const submit = async (event: Event): Promise<void> => {
      event.preventDefault();
      try {
        await http.login(token.value.trim());
      } catch (thrown) {
        answer(reasonOf(thrown), "bad");
        token.select();
        return;
      }
      token.value = "";
      dialog.removeEventListener("cancel", hold);
      dialog.close();
      resolve();
    };
    dialog.addEventListener("cancel", hold);
    byId("login-form", HTMLFormElement).onsubmit = submit;
    dialog.showModal();
  });
