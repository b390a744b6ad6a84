/** Finds the JSON values in a model's text: the whole text, or what stands in fences and prose, read with more and more patience. */
import { readLoose } from "./loose-json.ts";

/** Longer answers are cut: the asked schema needs 2 KiB. */
const textMax = 65_536;
/** Places in the prose at which a value is looked for, and characters read there; they bound the work on text made of braces. */
const startsMax = 32;
const readMax = 4 * textMax;

export type Found = {
  readonly value: unknown;
  /** The text ended before the value did: what is missing was not said. */
  readonly isCut: boolean;
};

const parsed = (text: string): { readonly value: unknown } | null => {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null; // not JSON, or nested too deep: the next step of the ladder may find some
  }
};

const thoughtEnds = ["</think>", "</thinking>", "</thought>", "◁/think▷", "<|end_of_thought|>", "<|channel|>final<|message|>"];
const thoughtBegins = /^\s*(?:<think(?:ing)?>|<thought>|◁think▷|<\|begin_of_thought\|>|<\|channel\|>analysis)/i;

/** Reasoning models think aloud first, and may think in JSON. Null when the text ends within the thoughts. */
const withoutThoughts = (text: string): string | null => {
  let from = 0;
  for (const mark of thoughtEnds) {
    const at = text.lastIndexOf(mark);
    if (at !== -1) from = Math.max(from, at + mark.length);
  }
  return from === 0 && thoughtBegins.test(text) ? null : text.slice(from);
};

/** JSON lets a name come twice, of which the reader of the engine takes the last; ours takes neither. */
const isTwofold = (text: string): boolean => /"(risk_?level|level|verdict|confidence)"\s*:[\s\S]*"\1"\s*:/i.test(text);

/** In order of appearance; an empty list holds no JSON, null ends within thoughts. */
export const jsonValues = (text: string): Found[] | null => {
  // Most answers are JSON and nothing else.
  const whole = text.length <= textMax ? parsed(text.trim()) : null;
  if (typeof whole?.value === "string") return jsonValues(whole.value); // encoded twice; shorter each time, so it ends
  if (whole && !isTwofold(text)) return [{ value: whole.value, isCut: false }];
  const said = whole ? text : withoutThoughts(text);
  return said === null ? null : within(said);
};

const within = (said: string): Found[] => {
  const isLong = said.length > textMax;
  const answer = said.slice(0, textMax);
  const found: Found[] = [];
  let [starts, read] = [0, 0];
  for (let at = 0; at < answer.length && starts < startsMax && read < readMax; at++) {
    if (answer[at] !== "{" && answer[at] !== "[") continue;
    starts++;
    const { value, end, isCut } = readLoose(answer, at);
    read += end - at;
    found.push({ value, isCut: isCut || (isLong && end >= answer.length) });
    at = end - 1;
  }
  return found;
};
