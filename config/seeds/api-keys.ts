/** `api_keys.yaml` in both published shapes: `api_keys: [{key_id, key}]` with a scheduler, and `keys: [{id, api_key}]`. */
import { nearest, type Path } from "../shape.ts";
import { isTree, type Source, type Tree, type YamlFile } from "../source.ts";
import { type Mapping, mapping, type Row, seconds } from "./mapping.ts";
import { monitoringRows } from "./monitoring.ts";

type KeyEntry = { readonly id: string; readonly account: string; readonly from: Path; readonly fields: Tree };

const keyFields = ["key", "key_id", "id", "api_key", "qps_limit", "rpm_limit", "tpm_limit", "tps_limit", "enabled", "priority"];
const accountFields = ["account", "base_url", "model"];

const entriesOf = (list: unknown, from: Path, { warn }: Mapping): KeyEntry[] => {
  if (!Array.isArray(list)) {
    warn(from, "expected a list of keys; left out");
    return [];
  }
  return list.flatMap((fields: unknown, index) => {
    const at = [...from, index];
    if (!isTree(fields)) {
      warn(at, "expected key and key_id; left out");
      return [];
    }
    const id = String(fields.key_id ?? fields.id ?? `key-${index + 1}`).replace(/[^\w.-]/g, "-");
    if (!fields.key && !fields.api_key) {
      warn(at, `${id} has no key; left out`);
      return [];
    }
    for (const key of Object.keys(fields)) {
      if (keyFields.includes(key) || accountFields.includes(key)) continue;
      const near = nearest(key, [...keyFields, ...accountFields]);
      warn([...at, key], `unknown key, not read${near ? `; did you mean ${near}` : ""}`);
    }
    return [{ id, account: String(fields.account ?? id).replace(/[^\w.-]/g, "-"), from: at, fields }];
  });
};

/** A limit of an account is the least that one of its keys states. */
const limitOf = (members: readonly KeyEntry[], field: string): Tree => {
  const stated = members.map(({ fields }) => fields[field]).filter((value) => typeof value === "number");
  return stated.length === 0 ? {} : { [field.replace("qps", "rps").replace("_limit", "")]: Math.min(...stated) };
};

const groupsOf = (entries: readonly KeyEntry[], path: string, { set }: Mapping): void => {
  const accounts = Map.groupBy(entries, ({ account }) => account);
  let index = 0;
  for (const [name, members] of accounts) {
    const [first] = members;
    if (!first) continue;
    const { base_url: baseUrl, model } = first.fields;
    const group = {
      name,
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(model === undefined ? {} : { model }),
      limits: {
        ...limitOf(members, "qps_limit"),
        ...limitOf(members, "rpm_limit"),
        ...limitOf(members, "tps_limit"),
        ...limitOf(members, "tpm_limit"),
      },
      keys: members.map(({ id, fields }) => ({
        id,
        file: path,
        entry: id,
        ...(fields.priority === undefined ? {} : { priority: fields.priority }),
        ...(fields.enabled === undefined ? {} : { enabled: fields.enabled }),
      })),
    };
    set(["llm", "groups", index], group, first.from);
    index += 1;
  }
};

const cooling = (to: Mapping, adaptive: boolean): Record<string, Row> => ({
  ...(adaptive ? { enabled: (value: unknown, from: Path) => to.set(["llm", "cooldown", "adaptive"], value, from) } : {}),
  min_cooldown: (value, from) => to.set(["llm", "cooldown", "minMs"], seconds(value), from),
  max_cooldown: (value, from) => to.set(["llm", "cooldown", "maxMs"], seconds(value), from),
  cooldown: (value, from) => to.set(["llm", "cooldown", "fixedMs"], seconds(value), from),
  failure_threshold: "a key rests once three calls, and a fifth of its calls, of the last minute failed; the share sets how long",
});

export const keysSource = (file: YamlFile, tree: Tree, path: string): Source => {
  const to = mapping(file);
  const list: Row = (value, from) => groupsOf(entriesOf(value, from, to), path, to);
  const concurrent: Row = (value, from) => to.set(["llm", "maxConcurrentTasks"], value, from);
  const selection: Row = (value, from) => to.set(["llm", "selection"], value, from);
  const globalRate: Row = (value, from) => to.set(["llm", "limits", "rps"], value, from);
  to.section(tree, [], {
    api_keys: list,
    keys: list,
    selection_strategy: selection,
    max_concurrent_tasks: concurrent,
    global_qps_limit: globalRate,
    cooling: (value, from) => to.section(value, from, cooling(to, true)),
    scheduler: (value, from) =>
      to.section(value, from, {
        max_concurrent_tasks: concurrent,
        key_cooldown_seconds: (inner, at) => to.set(["llm", "cooldown", "fixedMs"], seconds(inner), at),
        retry_max_attempts: (inner, at) => to.set(["llm", "retriesMax"], inner, at),
        timeout_seconds: (inner, at) => to.set(["llm", "timeoutMs"], seconds(inner), at),
        strategy: selection,
        selection_strategy: selection,
        global_qps_limit: globalRate,
        adaptive_cooldown: (inner, at) => to.section(inner, at, cooling(to, true)),
        cooling: (inner, at) => to.section(inner, at, cooling(to, true)),
        rate_limit: (inner, at) => {
          const off = isTree(inner) && inner.enabled === false;
          to.section(inner, at, {
            enabled: (value, where) => {
              if (value === false) to.warn(where, "the limit over all keys is left out; the limits of each key stand");
            },
            global_qps_limit: off ? () => {} : globalRate,
            window_size: "limits hold in every window of 1 s and of 60 s",
          });
        },
        health_check: "a key is judged by the calls made with it; `vedette keys verify` tries each one",
      }),
    monitoring: (value, from) => to.section(value, from, monitoringRows(to)),
  });
  return to.source();
};

/** The value of one key in an `api_keys.yaml`; null when it is not there. */
export const seedKeyValue = (tree: unknown, entry: string): string | null => {
  if (!isTree(tree)) return null;
  const list = tree.api_keys ?? tree.keys;
  if (!Array.isArray(list)) return null;
  for (const [index, fields] of list.entries()) {
    if (!isTree(fields)) continue;
    const id = String(fields.key_id ?? fields.id ?? `key-${index + 1}`).replace(/[^\w.-]/g, "-");
    const value = fields.key ?? fields.api_key;
    if (id === entry && typeof value === "string" && value !== "") return value;
  }
  return null;
};
