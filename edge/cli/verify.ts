/** `vedette verify BUNDLE`: whether the archive of an incident is whole and unchanged. Needs no running process. */
import { readFile, stat } from "node:fs/promises";
import { reasonOf, StartRefused } from "../../runtime/errors.ts";
import { unpackedMaxBytes, verifyBundle } from "../bundle/verify.ts";
import { type Command, exit } from "./command.ts";

const read = async (path: string): Promise<Uint8Array> => {
  try {
    const { size } = await stat(path);
    if (size > unpackedMaxBytes) throw new Error(`it has ${size} bytes, at most ${unpackedMaxBytes} are read`);
    return await readFile(path);
  } catch (thrown) {
    throw new StartRefused(exit.failed, `${path} cannot be read: ${reasonOf(thrown)}`);
  }
};

export const verify: Command = {
  name: "verify",
  does: "Checks the archive of an incident",
  actions: [
    {
      name: "",
      does: "compares every file with the manifest, and every picture with the name it has in the incident; exit code 1 when one differs",
      takes: "BUNDLE",
      options: [{ name: "json", does: "the report as JSON" }],
      async run(given, session) {
        const path = given.word();
        const { problems, manifest, incident } = verifyBundle(await read(path));
        const isWhole = problems.length === 0;
        if (given.isSet("json")) {
          session.out(
            JSON.stringify({ ok: isWhole, problems, incident: incident?.id ?? null, missing: manifest?.missing ?? [] }),
          );
          return isWhole ? exit.ok : exit.failed;
        }
        for (const problem of problems) session.out(`BAD  ${problem}`);
        if (isWhole && manifest && incident) {
          const { id, level, hazard, cameraId, openedAt } = incident;
          session.out(`ok   ${manifest.files.length} files are as the manifest says`);
          session.out(`     incident ${id}: ${level} ${hazard} at camera ${cameraId}, ${new Date(openedAt).toISOString()}`);
          for (const each of manifest.missing) session.out(`     missing when it was made: ${each}`);
        }
        return isWhole ? exit.ok : exit.failed;
      },
    },
  ],
  notes: [
    "The archive comes from GET /api/incidents/{id}/bundle.",
    "Whoever changes a file and the manifest with it is found out only by the pictures; keep the archive's own hash where it counts.",
  ],
};
