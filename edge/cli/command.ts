/** What a subcommand of `vedette` is: a row of words, options and sentences, from which its parser and its help are made. */
import { parseArgs } from "node:util";
import type { ConfigOptions, LoadedConfig } from "../../config/load.ts";
import type { Clock } from "../../runtime/clock.ts";
import { reasonOf, StartRefused } from "../../runtime/errors.ts";
import type { Random } from "../../runtime/random.ts";

/** What a run is given besides its words. */
export type Session = {
  readonly clock: Clock;
  readonly random: Random;
  /** The configuration, with further `a.b=c` settings; throws `StartRefused(78)` when it is wrong. */
  readonly config: (...set: readonly string[]) => LoadedConfig;
  /** What that configuration is made of, for a process that shall have the same. */
  readonly sources: ConfigOptions;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A line of the answer, on standard output. */
  readonly out: (line: string) => void;
  /** A remark beside the answer, on standard error. */
  readonly note: (line: string) => void;
  /** Aborted by Ctrl-C: the command ends soon, in order. */
  readonly signal: AbortSignal;
};

export type Option = {
  readonly name: string;
  /** What stands behind it, such as `N`; without one it is a switch. */
  readonly value?: string;
  readonly does: string;
  readonly isNeeded?: boolean;
  readonly isRepeated?: boolean;
};

/** The values that were given. */
export type Given = {
  readonly word: () => string;
  readonly text: (option: string) => string | undefined;
  readonly need: (option: string) => string;
  readonly isSet: (option: string) => boolean;
  readonly number: (option: string, bounds: { readonly from: number; readonly to: number }) => number | undefined;
};

/** A command's one action, or one of several: `camera add`. Resolves with the exit code. */
export type Action = {
  /** Empty when the command has one action only. */
  readonly name: string;
  readonly does: string;
  /** A word that must follow, such as `BUNDLE`. */
  readonly takes?: string;
  readonly options: readonly Option[];
  readonly run: (given: Given, session: Session) => Promise<number>;
};

export type Command = {
  readonly name: string;
  readonly does: string;
  readonly actions: readonly Action[];
  /** Sentences below the options. */
  readonly notes?: readonly string[];
};

/** Exit codes: 0 it holds, 1 it does not, 64 the words are wrong, 78 the configuration is. */
export const exit = { ok: 0, failed: 1, usage: 64 } as const;

export const configOptions: readonly Option[] = [
  { name: "config", value: "FILE", does: "a configuration file, over config/default.yaml", isRepeated: true },
  { name: "keys", value: "FILE", does: "keys of a model provider" },
  { name: "kafka", value: "FILE", does: "a kafka.yaml" },
  { name: "set", value: "a.b=c", does: "one setting", isRepeated: true },
];
const helpOption: Option = { name: "help", does: "this text" };

/** For commands that ask a running process. */
export const serverOptions: readonly Option[] = [
  { name: "server", value: "URL", does: "the process to ask (default: server.host and server.port of the configuration)" },
  { name: "token-env", value: "NAME", does: "the variable that holds the token (default: VEDETTE_TOKEN)" },
];

export const usageFault = (text: string): StartRefused => new StartRefused(exit.usage, text);

const refusalOf = (where: string, text: string) => usageFault(`${text}; see bun run vedette ${where} --help`);

type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

const givenOf = (where: string, values: Values, words: readonly string[]): Given => {
  const text = (option: string): string | undefined => {
    const value = values[option];
    return typeof value === "string" ? value : undefined;
  };
  return {
    word: () => words[0] ?? "",
    text,
    need(option) {
      const value = text(option);
      if (value === undefined || value === "") throw refusalOf(where, `--${option} is missing`);
      return value;
    },
    isSet: (option) => values[option] === true,
    number(option, { from, to }) {
      const value = text(option);
      if (value === undefined) return undefined;
      const number = Number(value);
      if (value.trim() === "" || !(number >= from && number <= to))
        throw refusalOf(where, `--${option} takes a number from ${from} to ${to}, not ${JSON.stringify(value)}`);
      return number;
    },
  };
};

export type Parsed =
  | { readonly kind: "help"; readonly command: Command | null }
  | { readonly kind: "run"; readonly action: Action; readonly given: Given; readonly config: ConfigOptions };

const list = (names: readonly string[]): string => names.filter((name) => name !== "").join(", ");

/** Each option once, in the order in which they are met. */
const optionsOf = (command: Command): readonly Option[] => {
  const byName = new Map<string, Option>();
  for (const { options } of command.actions)
    for (const option of options) byName.set(option.name, byName.get(option.name) ?? option);
  return [...byName.values()];
};

const findAction = (
  command: Command,
  words: readonly string[],
): { readonly action: Action; readonly rest: readonly string[] } => {
  const only = command.actions.find(({ name }) => name === "");
  if (only) return { action: only, rest: words };
  const [word, ...rest] = words;
  const found = command.actions.find(({ name }) => name === word);
  if (found) return { action: found, rest };
  const known = list(command.actions.map(({ name }) => name));
  const what = word === undefined ? `${command.name} needs one of ${known}` : `${command.name} has no ${word}: it has ${known}`;
  throw refusalOf(command.name, what);
};

const readWords = (command: Command, words: readonly string[]): { values: Values; positionals: string[] } => {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: Object.fromEntries(
        [...optionsOf(command), ...configOptions].map(({ name, value, isRepeated }) => [
          name,
          { type: value === undefined ? "boolean" : "string", ...(isRepeated ? { multiple: true } : {}) } as const,
        ]),
      ),
    });
  } catch (thrown) {
    throw refusalOf(command.name, reasonOf(thrown).split(/\.\s/)[0] ?? "");
  }
};

/** Reads a command line against the table; throws `StartRefused(64)` with one line for wrong words. */
export const parseWords = (commands: readonly Command[], words: readonly string[]): Parsed => {
  const [first = "--help", ...others] = words;
  if (first === "--help" || first === "-h" || first === "help") {
    return { kind: "help", command: commands.find(({ name }) => name === others[0]) ?? null };
  }
  const command = commands.find(({ name }) => name === first);
  if (!command) throw usageFault(`there is no command ${first}: there are ${list(commands.map(({ name }) => name))}`);
  if (others.includes("--help") || others.includes("-h")) return { kind: "help", command };
  const { values, positionals } = readWords(command, others);
  const { action, rest } = findAction(command, positionals);
  const where = `${command.name} ${action.name}`.trim();
  const allowed = new Set([...action.options, ...configOptions].map(({ name }) => name));
  const foreign = Object.keys(values).find((name) => !allowed.has(name));
  if (foreign !== undefined) throw refusalOf(where, `--${foreign} is not for ${where}`);
  const wanted = action.takes === undefined ? 0 : 1;
  if (rest.length < wanted) throw refusalOf(where, `${action.takes} is missing`);
  if (rest.length > wanted) throw refusalOf(where, `${rest[wanted]} is one word too many`);
  const given = givenOf(where, values, rest);
  for (const { name, isNeeded } of action.options) if (isNeeded) given.need(name);
  return { kind: "run", action, given, config: configOf(values) };
};

const texts = (value: Values[string]): string[] =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];

const configOf = (values: Values): ConfigOptions => ({
  config: texts(values.config),
  set: texts(values.set),
  ...(typeof values.keys === "string" ? { keys: values.keys } : {}),
  ...(typeof values.kafka === "string" ? { kafka: values.kafka } : {}),
});

const written = ({ name, value }: Option): string => `--${name}${value === undefined ? "" : ` ${value}`}`;

/** `camera add --id N [--fps F]` */
export const formOf = (command: Command, action: Action): string =>
  [
    command.name,
    action.name,
    action.takes ?? "",
    ...action.options.map((option) => (option.isNeeded ? written(option) : `[${written(option)}]`)),
  ]
    .filter((part) => part !== "")
    .join(" ");

const table = (rows: readonly (readonly [string, string])[]): string[] => {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
};

export const helpOf = (command: Command): string => {
  const forms = command.actions.flatMap((action) => [
    `  bun run vedette ${formOf(command, action)}`,
    ...(command.actions.length > 1 ? [`      ${action.does}`] : []),
  ]);
  const options = [...optionsOf(command), ...configOptions, helpOption];
  return [
    `${command.does}.`,
    "",
    ...forms,
    "",
    ...table(options.map((option) => [written(option), `${option.does}${option.isRepeated ? " (may be given again)" : ""}`])),
    ...(command.notes ? ["", ...command.notes] : []),
    "",
  ].join("\n");
};

export const overview = (commands: readonly Command[]): string =>
  [
    "bun run vedette COMMAND [options]",
    "",
    ...table(commands.map(({ name, does }) => [name, does])),
    "",
    "bun run vedette COMMAND --help says more. Exit codes: 0 it holds, 1 it does not, 64 wrong words, 78 wrong configuration.",
    "",
  ].join("\n");
