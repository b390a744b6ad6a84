/** Appends records to a spool until it is killed, and prints each id when it is acknowledged. */
import { systemClock } from "../../runtime/clock.ts";
import { silentLog } from "../../runtime/log.ts";
import { openSpool } from "../../runtime/spool-sqlite.ts";

const directory = process.argv[2] ?? "";
const spool = await openSpool({
  ...{ directory, maxBytes: 2 ** 30, minFreeBytes: 0, letGo() {} },
  ...{ clock: systemClock, log: silentLog },
});
for (let number = 0; ; number++) {
  const text = { topic: "toys", key: "1", id: String(number), type: "toy", trace: "", lane: "toys/0" };
  await spool.append([{ ...text, isMinor: false, bytes: new Uint8Array(1_000) }]);
  process.stdout.write(`${number}\n`);
}
