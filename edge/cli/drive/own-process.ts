/** A whole process within this one, for `drive` and the like: no cameras, a free port, a log in a temporary directory. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadedConfig } from "../../../config/load.ts";
import { Fault } from "../../../runtime/errors.ts";
import { silentLog } from "../../../runtime/log.ts";
import type { Session } from "../command.ts";

export type OwnProcess = AsyncDisposable & { readonly loaded: LoadedConfig; readonly url: string; readonly token: undefined };

export const startOwnProcess = async (session: Session): Promise<OwnProcess> => {
  const directory = await mkdtemp(join(tmpdir(), "vedette-drive-"));
  const remove = () => rm(directory, { recursive: true, force: true, maxRetries: 3 });
  try {
    const loaded = session.config(
      `data.dir=${directory}`,
      "server={ host: 127.0.0.1, port: 0 }",
      "cameras.list=[]",
      "auth.tokens=[]",
      "detector.model=auto",
    );
    // The pipeline brings native libraries along: other commands start without them.
    const { startProcess } = await import("../../system.ts");
    const running = await startProcess(loaded, {
      clock: session.clock,
      random: session.random,
      log: silentLog,
      isSimulated: true,
      fatal(_status, reason) {
        throw new Fault("internal", reason);
      },
    });
    return {
      loaded,
      url: running.url,
      token: undefined,
      async [Symbol.asyncDispose]() {
        await running.stop("the command is done");
        await remove();
      },
    };
  } catch (thrown) {
    await remove();
    throw thrown;
  }
};
