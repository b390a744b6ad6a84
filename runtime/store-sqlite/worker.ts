/** The Worker that has the store's file: a write waits for the disk, and the pipeline must not. */
import { join } from "node:path";
import { closeSqliteFile, damageMet, openSqliteFile } from "../sqlite/file.ts";
import { answerCalls } from "../sqlite/worker-calls.ts";
import type { StoreCalls } from "./calls.ts";
import { createFactFile, type FactFile, migrations } from "./fact-file.ts";
import { salvageFacts } from "./salvage.ts";

let opened: { readonly file: FactFile; readonly checkpoint: () => void; readonly close: () => void } | null = null;

let path = "";

const facts = () => {
  if (opened === null) throw new Error("the store is not open");
  return opened;
};

answerCalls<StoreCalls>(
  {
    open({ directory, nowMs }) {
      path = join(directory, "store.sqlite");
      const { database, unclean, checkMs, damaged, reason } = openSqliteFile(path, migrations, nowMs, (each) =>
        createFactFile(each).tryOut(),
      );
      const kept = damaged === null ? 0 : salvageFacts(damaged, database);
      const file = createFactFile(database);
      opened = {
        file,
        checkpoint: () => database.run("PRAGMA wal_checkpoint(PASSIVE)"),
        close: () => closeSqliteFile(database),
      };
      return { value: { unclean, checkMs, damaged, reason, kept, facts: file.count() } };
    },
    get: (args) => ({ value: facts().file.get(args) }),
    list: (args) => ({ value: facts().file.list(args) }),
    write: (args) => ({ value: facts().file.write(args) }),
    prune: (args) => ({ value: facts().file.prune(args) }),
    checkpoint: () => ({ value: facts().checkpoint() }),
    close() {
      facts().close();
      opened = null;
      return { value: undefined };
    },
  },
  (thrown) => damageMet(path, thrown),
);
