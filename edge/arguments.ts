/** The command line of `bun run start`. */
import { parseArgs } from "node:util";
import type { ConfigOptions } from "../config/load.ts";
import { reasonOf, StartRefused } from "../runtime/errors.ts";

export const startUsage = `bun run start [options]
  --config FILE     a configuration file, over config/default.yaml (may be given again)
  --keys FILE       keys of a model provider, in the shape of config/api_keys.example.yaml
  --kafka FILE      a kafka.yaml
  --set a.b=c       one setting (may be given again)
  --roles LIST      all, or some of eyes,task-generator,scheduler,aggregator,edge
  --check-config    say whether the configuration is right, and end
  --print-config    print the configuration and where each value comes from, and end
  --help            this text
`;

export type StartArguments = { readonly config: ConfigOptions; readonly action: "start" | "check" | "print" | "help" };

const options = {
  config: { type: "string", multiple: true },
  keys: { type: "string" },
  kafka: { type: "string" },
  set: { type: "string", multiple: true },
  roles: { type: "string" },
  "check-config": { type: "boolean" },
  "print-config": { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export const parseStart = (words: readonly string[]): StartArguments => {
  let given: ReturnType<typeof parseArgs<{ options: typeof options }>>["values"];
  try {
    given = parseArgs({ args: [...words], options, strict: true }).values;
  } catch (thrown) {
    throw new StartRefused(64, `${reasonOf(thrown).split(/\.\s/)[0]}; see bun run start --help`);
  }
  const { config, keys, kafka, set, roles } = given;
  return {
    action: given.help ? "help" : given["check-config"] ? "check" : given["print-config"] ? "print" : "start",
    config: {
      ...(config ? { config } : {}),
      ...(set ? { set } : {}),
      ...(keys === undefined ? {} : { keys }),
      ...(kafka === undefined ? {} : { kafka }),
      ...(roles === undefined ? {} : { roles }),
    },
  };
};
