/** A process that appends to the log in its first argument until it is killed, and prints each id once it is acknowledged. */
import { openSqliteBus } from "../../runtime/bus-sqlite.ts";
import { systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { toy, toyTopic } from "./bus-contract/toys.ts";

const [directory = "", run = ""] = process.argv.slice(2);
export const writtenTopic = toyTopic({ name: "written", partitions: 4 });

if (import.meta.main) {
  const bus = await openSqliteBus({ directory, clock: systemClock, log: silentLog, maxBytes: 1e9 });
  await bus.ensure([writtenTopic]);
  process.stdout.write("ready\n");
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let count = 0; ; count++) {
      const ids = [0, 1, 2].map((index) => `${run}-${writer}-${count}-${index}`);
      await bus.append(ids.map((id) => toy(writtenTopic, String(writer), id, id)));
      process.stdout.write(ids.map((id) => `${id}\n`).join(""));
    }
  });
  await Promise.all(writers);
}
