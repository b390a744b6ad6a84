/** Writes `docs/commands.md` from the table of subcommands: `bun tools/commands-page.ts`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Command, helpOf } from "../edge/cli/command.ts";
import { commands } from "../edge/cli/table.ts";

const intro = `# Commands

Made from the table of subcommands by \`bun tools/commands-page.ts\`; \`bun run vedette COMMAND --help\` says the same.
With npm alone it is \`npm run vedette -- COMMAND\`. All of them run without Kafka, Redis, a model, a camera or a key; what needs
one of these says so in one line. They read the configuration as \`bun run start\` does (see \`config/README.md\`).

Exit codes: 0 it holds, 1 it does not, 64 the words are wrong, 78 the configuration is wrong, 130 a second Ctrl-C.

`;

const section = (command: Command): string => `## ${command.name}\n\n\`\`\`\n${helpOf(command).trimEnd()}\n\`\`\`\n`;

export const commandsPage = (): string =>
  `${intro}${commands.map(({ name, does }) => `- [\`${name}\`](#${name}): ${does}`).join("\n")}\n\n${commands.map(section).join("\n")}`;

if (import.meta.main) writeFileSync(join(import.meta.dirname, "../docs/commands.md"), commandsPage());
