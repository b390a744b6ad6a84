import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { helpOf, overview, parseWords } from "../../../edge/cli/command.ts";
import { commands } from "../../../edge/cli/table.ts";
import { columns, plain, sizeText } from "../../../edge/cli/text.ts";
import { StartRefused } from "../../../runtime/errors.ts";
import { commandsPage } from "../../../tools/commands-page.ts";

const parse = (...words: string[]) => parseWords(commands, words);

describe("the words of a command line", () => {
  test.each([
    ["an unknown command", ["nope"], /no command nope: there are .*camera,/],
    ["a missing action", ["camera"], /needs one of add, list, check, remove; see bun run vedette camera --help/],
    ["an unknown action", ["camera", "paint"], /camera has no paint: it has add/],
    ["a missing option", ["camera", "add", "--id", "3"], /--name is missing; see bun run vedette camera add --help/],
    ["an unknown option", ["tail", "--colour"], /Unknown option '--colour'; see/],
    ["an option of another action", ["camera", "remove", "--id", "1", "--fps", "2"], /--fps is not for camera remove/],
    ["a value like an option", ["drive", "--count", "-1"], /Option '--count' argument is ambiguous; see/],
    ["a word too many", ["tail", "x"], /x is one word too many/],
  ])("%s is refused with 64 and one line", (_what, words, says) => {
    let thrown: unknown = null;
    try {
      parse(...words);
    } catch (refusal) {
      thrown = refusal;
    }
    expect(thrown).toBeInstanceOf(StartRefused);
    expect(thrown).toMatchObject({ status: 64, message: expect.stringMatching(says) });
    expect(String(thrown)).not.toContain("\n");
  });

  test("options stand before or behind the action", () => {
    const parsed = parse("camera", "--set", "server.port=1", "remove", "--id", "4");
    if (parsed.kind !== "run") throw new Error("expected a run");
    expect(parsed.action.name).toBe("remove");
    expect(parsed.given.number("id", { from: 0, to: 9 })).toBe(4);
    expect(parsed.config).toEqual({ config: [], set: ["server.port=1"] });
  });

  test("a number outside its bounds is refused by its option's name", () => {
    const parsed = parse("tail", "--count", "0");
    if (parsed.kind !== "run") throw new Error("expected a run");
    expect(() => parsed.given.number("count", { from: 1, to: 9 })).toThrow('--count takes a number from 1 to 9, not "0"');
  });
});

describe("help", () => {
  test.each(commands.map((command) => [command.name, command] as const))(
    "%s tells each action and each option",
    (_name, command) => {
      const help = helpOf(command);
      for (const { name, options } of command.actions) {
        expect(help).toContain(`bun run vedette ${command.name} ${name}`.trim());
        for (const option of options) expect(help).toContain(`--${option.name}`);
      }
      for (const line of help.split("\n")) expect(line.length).toBeLessThan(260);
    },
  );

  test("the overview names every command", () => {
    for (const { name, does } of commands)
      expect(overview(commands)).toContain(
        `\n  ${name.padEnd(Math.max(...commands.map((each) => each.name.length)))}  ${does}\n`,
      );
  });

  test("docs/commands.md is what tools/commands-page.ts writes", () => {
    expect(readFileSync(join(import.meta.dirname, "../../../docs/commands.md"), "utf8")).toBe(commandsPage());
  });
});

describe("text for a terminal", () => {
  test("columns are as wide as their widest cell", () => {
    expect(
      columns([
        ["a", "bb", "c"],
        ["aaa", "b", "ccc"],
      ]),
    ).toEqual(["a    bb  c", "aaa  b   ccc"]);
  });
  test.each([
    [0, "0 B"],
    [1_023, "1023 B"],
    [1_536, "1.5 KiB"],
    [3 * 2 ** 30, "3.0 GiB"],
  ])("%d bytes are %s", (bytes, text) => expect(sizeText(bytes)).toBe(text));
  test("what a terminal would act on is not handed to it", () => {
    expect(plain("a\u001b[31mb\u202ec\nd")).toBe("a?[31mb?c?d");
  });
});
