/**
 * The question put to the model. Its words stand in `config/prompts/*.txt`, one file a language; here the figures of a task
 * are put in their places. The answer's schema is the same in every language and is versioned with the text.
 */
import type { AssessmentTask } from "../../protocols/task.ts";
import { Fault } from "../../runtime/errors.ts";

export type PromptTemplate = {
  /** Changes with the text or the answer's schema, e.g. `risk-v1`. */
  readonly version: string;
  readonly system: string;
  readonly user: string;
  readonly withPicture: string;
  readonly withoutPicture: string;
  /** Said of an answer that could not be read. */
  readonly repair: string;
};

export type Prompt = {
  readonly system: string;
  readonly user: string;
  readonly repair?: { readonly answer: string; readonly complaint: string };
};

/** `reason` is in our own words. */
export type Unreadable = { readonly answer: string; readonly reason: string };

const places = ["picture", "group", "spatial", "riskLevel", "hazards", "objects", "ids"] as const;
type Place = (typeof places)[number];
const placesOf = { system: places, user: places, "with-picture": [], "without-picture": [], repair: ["reason"] } as const;
type Section = keyof typeof placesOf;

/** What is said back of an unreadable answer; the asked schema needs less. */
const answerMax = 4_000;

/** The longest list of objects that is told; a group of more is told in part, and its number is. */
const objectsMax = 40;

/** Reads a prompt file: a line `version: NAME`, then the sections of `placesOf`. */
export const parsePrompt = (text: string, file: string): PromptTemplate => {
  const [head = "", ...parts] = text.replaceAll("\r\n", "\n").split(/^\[([a-z-]+)\]\n/m);
  const version = /^version: ([\w.-]{1,40})\s*$/m.exec(head)?.[1];
  if (!version) throw new Fault("invalid_field", `${file} names no version: its first line should read "version: risk-v1"`);
  const found = new Map<string, string>();
  for (let at = 0; at < parts.length; at += 2) found.set(parts[at] ?? "", (parts[at + 1] ?? "").trim());
  const section = (name: Section): string => {
    const body = found.get(name);
    if (!body) throw new Fault("invalid_field", `${file} has no section [${name}]`);
    const known: readonly string[] = placesOf[name];
    for (const [, place = ""] of body.matchAll(/\{\{(\w+)\}\}/g)) {
      if (!known.includes(place))
        throw new Fault(
          "invalid_field",
          `${file} has a place {{${place}}} in [${name}]; allowed are ${known.join(", ") || "none"}`,
        );
    }
    return body;
  };
  return {
    version,
    system: section("system"),
    user: section("user"),
    withPicture: section("with-picture"),
    withoutPicture: section("without-picture"),
    repair: section("repair"),
  };
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const unquotable = /[\u0000-\u001f\u007f\s"`{}[\]]+/g;

/** Text that came with a task is data: one line, bounded, without what could pass for the prompt's own structure. */
const quoted = (text: string, lengthMax: number): string =>
  text.replace(unquotable, " ").trim().slice(0, lengthMax).toWellFormed();

const whole = (box: readonly number[]): string => `[${box.map((value) => Math.round(value)).join(",")}]`;
const tidy = (value: number, digits: number): string => String(Number(value.toFixed(digits)));

const spatialLine = ({ spatial }: AssessmentTask): string => {
  const { density, avgSpacing, minSpacing, vehicles, pedestrians, pedVehicleMinDist } = spatial;
  const distance = pedVehicleMinDist === undefined ? "" : ` pedVehicleMinDist=${tidy(pedVehicleMinDist, 1)}px`;
  return (
    `density=${tidy(density, 2)}/1e4px avgSpacing=${tidy(avgSpacing, 1)}px minSpacing=${tidy(minSpacing, 1)}px ` +
    `vehicles=${vehicles} pedestrians=${pedestrians}${distance}`
  );
};

const hazardLines = ({ hazards }: AssessmentTask): string =>
  hazards
    .map(({ type, memberTrackIds, evidence }) => `- ${type} ids=${whole(memberTrackIds)} measured="${quoted(evidence, 300)}"`)
    .join("\n") || "- none";

const objectLines = ({ detectedObjects }: AssessmentTask): string => {
  const lines = detectedObjects.slice(0, objectsMax).map((object) => {
    const speed = object.speed === undefined ? "" : ` speed=${tidy(object.speed, 1)}`;
    return `- id=${object.trackId} class="${quoted(object.class, 64)}" confidence=${tidy(object.confidence, 2)} bbox=${whole(object.bbox)}${speed}`;
  });
  const left = detectedObjects.length - lines.length;
  return [...lines, ...(left > 0 ? [`- (+${left})`] : [])].join("\n") || "- none";
};

/** The texts between the places, and each place's name after the text before it; by the template's own text. */
const piecesOf = new Map<string, readonly string[]>();
const piecesMax = 16;
/** In one pass: a value that holds a place's name stays as it is. */
const filled = (text: string, values: Record<Place, string>): string => {
  let pieces = piecesOf.get(text);
  if (!pieces) {
    pieces = text.split(/\{\{(\w+)\}\}/);
    if (piecesOf.size < piecesMax) piecesOf.set(text, pieces);
  }
  let all = "";
  for (let at = 0; at < pieces.length; at++) {
    const piece = pieces[at] ?? "";
    all += at % 2 === 0 ? piece : values[piece as Place]; // checked when the template was read
  }
  return all;
};

export const renderPrompt = (template: PromptTemplate, task: AssessmentTask): Prompt => {
  const { groupIndex, groupMetadata, image, detectedObjects } = task;
  const classes = groupMetadata.classes.map((name) => quoted(name, 64)).join(",");
  const values: Record<Place, string> = {
    picture: image.byteLength > 0 ? template.withPicture : template.withoutPicture,
    group: `groupIndex=${groupIndex} count=${groupMetadata.objectCount} classes=${classes} bbox=${whole(groupMetadata.bbox)}`,
    spatial: spatialLine(task),
    riskLevel: task.riskLevel,
    hazards: hazardLines(task),
    objects: objectLines(task),
    ids: whole(detectedObjects.slice(0, objectsMax).map(({ trackId }) => trackId)),
  };
  return { system: filled(template.system, values), user: filled(template.user, values) };
};

/** The turns after the question, for an answer that could not be read: the answer as it came, and what is wrong with it. */
export const renderRepair = ({ repair }: PromptTemplate, { answer, reason }: Unreadable): NonNullable<Prompt["repair"]> => ({
  answer: answer.slice(0, answerMax).toWellFormed(),
  complaint: repair.replace("{{reason}}", () => reason),
});
