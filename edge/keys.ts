/** The keys and quota groups of the configuration, with the secrets that this process can read; read again when a file changes. */
import { statSync } from "node:fs";
import { hostname } from "node:os";
import type { AccountSettings } from "../actors/scheduler/accounts.ts";
import type { QuotaGroup } from "../actors/scheduler/group.ts";
import type { LoadedConfig } from "../config/load.ts";
import { reasonOf } from "../runtime/errors.ts";
import type { Log } from "../runtime/log.ts";

/** Keys that are not enabled, or whose place holds nothing, are left out. */
export const quotaGroupsOf = ({ config, resolveSecret }: LoadedConfig): readonly QuotaGroup[] =>
  config.llm.groups.map(({ name, baseUrl, model, limits, maxInFlight, price, keys }) => ({
    name,
    baseUrl,
    model,
    limits,
    maxInFlight: maxInFlight ?? null,
    price,
    keys: keys.flatMap(({ id, priority, maxInFlight: ofKey, enabled, ...place }) => {
      const secret = enabled ? resolveSecret(place) : null;
      return secret === null ? [] : [{ id, priority, secret, maxInFlight: ofKey ?? null }];
    }),
  }));

export const accountSettingsOf = (loaded: LoadedConfig): AccountSettings => {
  const { llm, data } = loaded.config;
  return {
    groups: quotaGroupsOf(loaded),
    limits: llm.limits,
    headroom: llm.headroom,
    selection: llm.selection,
    cooldown: llm.cooldown,
    maxConcurrent: llm.maxConcurrentTasks,
    budget: llm.budget,
    shadow: llm.shadow,
    owner: `${hostname()}:${data.dir}`.slice(-100),
  };
};

export type KeyWatch = {
  /** The groups, when a file has changed since the last look and reads well; null otherwise. */
  readonly changed: () => readonly QuotaGroup[] | null;
  /** The groups as the sources read by now. Throws when they do not read well. */
  readonly read: () => readonly QuotaGroup[];
};

const stampOf = (files: readonly string[]): string =>
  files
    .map((file) => {
      try {
        const { mtimeMs, size } = statSync(file);
        return `${mtimeMs}/${size}`;
      } catch {
        return "none";
      }
    })
    .join(" ");

export const watchKeys = (loaded: LoadedConfig, log: Log): KeyWatch => {
  let stamp = stampOf(loaded.keyFiles);
  const read = () => quotaGroupsOf(loaded.reload());
  return {
    changed() {
      const next = stampOf(loaded.keyFiles);
      if (next === stamp) return null;
      stamp = next;
      try {
        return read();
      } catch (thrown) {
        // Half written, or wrong: the keys in use stay, and the next change is read again.
        log.warn("llm.keys-unreadable", { reason: reasonOf(thrown) });
        return null;
      }
    },
    read,
  };
};
