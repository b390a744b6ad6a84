import { expect, test } from "bun:test";
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../../config/load.ts";
import { accountSettingsOf, quotaGroupsOf, watchKeys } from "../../../edge/keys.ts";
import type { Log } from "../../../runtime/log.ts";
import { silentLog } from "../../../runtime/log.ts";
import { tempDir } from "../../support/temp-dir.ts";

const seeds = (...keys: readonly string[]) =>
  `api_keys:\n${keys.map((key, index) => `  - { key: ${key}, key_id: k-${index + 1}, qps_limit: 10, account: main }\n`).join("")}`;

const loadedFrom = async (text: string) => {
  const dir = await tempDir();
  const file = join(dir.path, "api_keys.yaml");
  writeFileSync(file, text);
  return { dir, file, loaded: loadConfig({ root: dir.path, keys: "api_keys.yaml", environment: {} }) };
};
/** As an editor does, and seen even where the clock of the file system is coarse. */
const write = (file: string, text: string, second: number): void => {
  writeFileSync(file, text);
  utimesSync(file, second, second);
};

test("keys of one account share a group; those that are switched off or empty are left out", async () => {
  const { dir, loaded } = await loadedFrom(
    seeds("sk-first-key", "sk-second-key").replace("key_id: k-2", "key_id: k-2, enabled: false"),
  );
  await using _ = dir;
  expect(quotaGroupsOf(loaded)).toMatchObject([
    { name: "main", limits: { rps: 10 }, keys: [{ id: "k-1", secret: "sk-first-key", priority: 1 }] },
  ]);
  expect(accountSettingsOf(loaded)).toMatchObject({ headroom: 0.05, maxConcurrent: 50, shadow: null });
});

test("a key file that changes is read again, once; one that does not read changes nothing, and is said", async () => {
  const { dir, file, loaded } = await loadedFrom(seeds("sk-first-key"));
  await using _ = dir;
  const warned: unknown[] = [];
  const log: Log = { ...silentLog, warn: (event) => void warned.push(event) };
  const watch = watchKeys(loaded, log);
  const ids = (groups: ReturnType<typeof watch.changed>) =>
    groups?.flatMap(({ keys }) => keys.map(({ secret }) => secret)) ?? null;
  expect(watch.changed()).toBeNull();
  write(file, seeds("sk-first-key", "sk-second-key"), 1_000);
  expect([ids(watch.changed()), watch.changed()]).toEqual([["sk-first-key", "sk-second-key"], null]);
  write(file, "api_keys: [", 2_000);
  expect([watch.changed(), warned]).toEqual([null, ["llm.keys-unreadable"]]);
  write(file, seeds("sk-third-key"), 3_000);
  expect(ids(watch.changed())).toEqual(["sk-third-key"]);
});
