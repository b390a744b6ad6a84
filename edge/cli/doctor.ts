/** `vedette doctor`: looks at everything a start depends on, and says what is wrong and what to do. It changes nothing. */
import type { LoadedConfig } from "../../config/load.ts";
import { maskSecrets } from "../../config/secrets.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { type Command, exit, type Session } from "./command.ts";
import type { Finding } from "./doctor/finding.ts";
import { kafka } from "./doctor/kafka.ts";
import { dataDirectory, disk, files, ports, runtime } from "./doctor/machine.ts";
import { engine, media, model } from "./doctor/seeing.ts";
import { keys, redis } from "./doctor/services.ts";
import { plain } from "./text.ts";

const configFindings = ({ config, warnings }: LoadedConfig): Finding[] => {
  const detail = `${config.cameras.list.length} configured cameras, bus ${config.bus.driver}, roles ${config.roles.join(",")}`;
  return [
    { name: "config", status: "ok", detail },
    ...warnings.map((warning): Finding => ({ name: "config", status: "warn", detail: warning })),
  ];
};

const checks = (
  loaded: LoadedConfig,
  session: Session,
): readonly (readonly [string, () => Finding | readonly Finding[] | Promise<Finding | readonly Finding[]>])[] => {
  const { config } = loaded;
  return [
    ["runtime", runtime],
    ["config", () => configFindings(loaded)],
    ["data", () => dataDirectory(config)],
    ["files", () => files(config)],
    ["disk", () => disk(config)],
    ["port", () => ports(config)],
    ["media", media],
    ["engine", () => engine(config)],
    ["model", () => model(config)],
    ["keys", () => keys(loaded)],
    ["kafka", () => kafka(loaded, session)],
    ["redis", () => redis(loaded, session)],
  ];
};

/** Every finding; a check that itself fails is one, too. */
const examine = async (session: Session): Promise<Finding[]> => {
  let loaded: LoadedConfig;
  try {
    loaded = session.config();
  } catch (thrown) {
    return [
      runtime(),
      {
        name: "config",
        status: "fail",
        detail: reasonOf(thrown),
        mend: "correct it; config/README.md tells where values come from",
      },
    ];
  }
  const found: Finding[] = [];
  for (const [name, check] of checks(loaded, session)) {
    try {
      found.push(...[await check()].flat());
    } catch (thrown) {
      found.push({ name, status: "fail", detail: reasonOf(thrown) });
    }
  }
  return found;
};

const lines = ({ name, status, detail, mend }: Finding): string[] => {
  const [first = "", ...more] = maskSecrets(detail).split("\n").map(plain);
  const indent = " ".repeat(6);
  return [
    `${status.padEnd(4)}  ${name}: ${first}`,
    ...more.map((line) => indent + line),
    ...(mend === undefined ? [] : [`${indent}-> ${mend}`]),
  ];
};

export const doctor: Command = {
  name: "doctor",
  does: "Looks at everything that a start depends on, and says what is wrong and what to do",
  actions: [
    {
      name: "",
      does: "",
      options: [{ name: "json", does: "the findings as JSON: {ok, findings: [{name, status, detail, mend?}]}" }],
      async run(given, session) {
        const findings = await examine(session);
        const isOk = findings.every(({ status }) => status !== "fail");
        if (given.isSet("json")) session.out(maskSecrets(JSON.stringify({ ok: isOk, findings })));
        else for (const line of findings.flatMap(lines)) session.out(line);
        return isOk ? exit.ok : exit.failed;
      },
    },
  ],
  notes: [
    "ok works, warn works and costs something, fail keeps the system from working as configured (exit code 1), skip is not",
    "configured. Nothing is changed and nothing is fetched.",
  ],
};
