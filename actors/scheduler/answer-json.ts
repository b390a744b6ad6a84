/** Finds the JSON values in a model's text: the whole text, then fenced blocks, then balanced objects and arrays in prose. */

/** Longer answers are cut: the asked schema needs 2 KiB. */
const textMax = 65_536;
/** Places in the prose at which a value is looked for; bounds the work on text made of braces. */
const startsMax = 32;

const parsed = (text: string): { readonly value: unknown } | null => {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null; // not JSON, or nested too deep: the next step of the ladder may find some
  }
};

/** The end of the balanced value that starts at `start`, quotes and escapes respected; -1 when it never ends. */
const balancedEnd = (text: string, start: number): number => {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (quoted) {
      if (char === "\\") at++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
};

/** In order of trust; the caller takes the first that reads as an answer. */
export function* jsonValues(text: string): Generator<unknown> {
  // Reasoning models think aloud first, and may think in JSON.
  const thought = text.lastIndexOf("</think>");
  const answer = (thought === -1 ? text : text.slice(thought + "</think>".length))
    .slice(0, textMax)
    .replace(/^\uFEFF/, "")
    .trim();

  const whole = parsed(answer);
  if (whole) {
    yield whole.value;
    if (typeof whole.value === "string") yield* jsonValues(whole.value); // encoded twice; shorter each time, so it ends
    return;
  }
  for (const [, body = ""] of answer.matchAll(/```[\w-]*([\s\S]*?)```/g)) {
    const fenced = parsed(body.trim());
    if (fenced) yield fenced.value;
  }
  let starts = 0;
  for (let at = 0; at < answer.length && starts < startsMax; at++) {
    if (answer[at] !== "{" && answer[at] !== "[") continue;
    starts++;
    const end = balancedEnd(answer, at);
    const value = end === -1 ? null : parsed(answer.slice(at, end));
    if (!value) continue;
    yield value.value;
    at = end - 1;
  }
}
