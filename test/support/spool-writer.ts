/** Run as a program: appends records to a spool until it is killed, and prints each id when it is acknowledged. */
import { systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { openSpool } from "../../runtime/spool-sqlite.ts";

export const writtenLane = "toys/0";

if (import.meta.main) {
  const directory = process.argv[2] ?? "";
  const spool = await openSpool({
    ...{ directory, maxBytes: 2 ** 30, minFreeBytes: 0, letGo() {} },
    ...{ clock: systemClock, log: silentLog },
  });
  for (let number = 0; ; number++) {
    const text = { topic: "toys", key: "1", id: String(number), type: "toy", trace: "", lane: writtenLane };
    await spool.append([{ ...text, isMinor: false, bytes: new Uint8Array(1_000) }]);
    process.stdout.write(`${number}\n`);
  }
}
