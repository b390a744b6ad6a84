/** What lies outside the process: keys of model providers, Redis. */
import type { LoadedConfig } from "../../../config/load.ts";
import { reasonOf } from "../../../runtime/errors.ts";
import { silentLog } from "../../../runtime/log.ts";
import { connectRedis } from "../../../runtime/store-redis/connection.ts";
import type { Session } from "../command.ts";
import type { Finding } from "./finding.ts";

export const keys = ({ config, resolveSecret }: LoadedConfig): Finding => {
  const name = "keys";
  const { groups, minKeys } = config.llm;
  if (groups.length === 0) return { name, status: "skip", detail: "no llm.groups: the rules assess" };
  const all = groups.flatMap((group) => group.keys);
  const usable = all.filter((key) => key.enabled && resolveSecret(key) !== null).length;
  const detail = `${usable} of ${all.length} keys in ${groups.length} ${groups.length === 1 ? "group" : "groups"} can be read`;
  const mend = "see bun run start --check-config for those that hold nothing; bun run vedette keys verify tries them";
  if (usable === 0) return { name, status: "fail", detail, mend };
  return usable < minKeys
    ? { name, status: "warn", detail: `${detail}, fewer than llm.minKeys ${minKeys}`, mend }
    : { name, status: "ok", detail };
};

export const redis = async ({ config, resolveSecret }: LoadedConfig, { clock, random }: Session): Promise<Finding> => {
  const name = "redis";
  const { redis: url, password } = config.store;
  if (url === null) return { name, status: "skip", detail: "the store is kept in data.dir" };
  try {
    const address = { url, password: password ? resolveSecret(password) : null };
    const connection = await connectRedis(address, { clock, random, log: silentLog });
    try {
      const startedMs = clock.monotonicMs();
      const info = await connection.run("read", 0, (client) => client.info("server"));
      const version = /^redis_version:(.+)$/m.exec(info)?.[1]?.trim() ?? "of unknown version";
      const tookMs = Math.max(1, Math.round(clock.monotonicMs() - startedMs));
      return { name, status: "ok", detail: `${connection.address}: redis ${version} answers in ${tookMs} ms` };
    } catch {
      return {
        name,
        status: "fail",
        detail: connection.health().detail,
        mend: "start it, or correct store.redis; vedette goes on without it, slower to take up what it had",
      };
    } finally {
      await connection.close();
    }
  } catch (thrown) {
    return { name, status: "fail", detail: reasonOf(thrown), mend: "see store.redis and store.password" };
  }
};
