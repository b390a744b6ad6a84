/** What the shape alone cannot say: settings that are each fine and together impossible, and secrets where they would be printed. */
import { type Config, roleNames, topicNames } from "./schema.ts";
import { looksSecret } from "./secrets.ts";
import type { Path } from "./shape.ts";
import { isTree, type Tree } from "./source.ts";

type Finding = { readonly path: Path; readonly text: string };
type Rule = { readonly reads: readonly string[]; readonly find: (config: Config) => Finding[] };

/** Addresses that only this machine reaches. */
export const isLoopback = (host: string): boolean =>
  /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?|\[?::ffff:127(\.\d{1,3}){3}\]?)$/i.test(host);

const repeated = (items: readonly { readonly name: unknown; readonly path: Path }[], what: string): Finding[] =>
  items.flatMap(({ name, path }, index) =>
    items.findIndex((item) => item.name === name) < index ? [{ path, text: `${what} ${String(name)} is there twice` }] : [],
  );

const exposure = ({ server, auth }: Config): Finding[] => {
  if (isLoopback(server.host) || auth.tokens.length > 0) return [];
  const mend = "add `auth: { tokens: [{ name: ops, env: VEDETTE_TOKEN, role: operator }] }`, or set server.host to 127.0.0.1";
  return [{ path: ["server", "host"], text: `${server.host} is reached from outside, and there are no tokens: ${mend}` }];
};

const splitRoles = ({ roles, bus }: Config): Finding[] =>
  roles.length === roleNames.length || bus.driver === "kafka"
    ? []
    : [{ path: ["roles"], text: "roles in separate processes meet on Kafka; the embedded log belongs to one: set bus: kafka" }];

const delivery = ({ kafka }: Config): Finding[] =>
  !kafka.idempotent || kafka.acks === "all" || kafka.acks === -1
    ? []
    : [{ path: ["kafka", "acks"], text: `${kafka.acks} contradicts kafka.idempotent: an idempotent producer needs acks: all` }];

const topics = ({ kafka, tasks }: Config): Finding[] => {
  const at = (topic: string, key: string): Path => ["kafka", "topics", topic, key];
  const names = topicNames.map((topic) => kafka.topics[topic]?.name ?? topic);
  const found = repeated(
    topicNames.map((topic, index) => ({ name: names[index], path: at(topic, "name") })),
    "the topic",
  );
  if (kafka.tracksTopic !== null && names.includes(kafka.tracksTopic))
    found.push({ path: ["kafka", "tracksTopic"], text: `${kafka.tracksTopic} is already one of the system's own topics` });
  for (const topic of topicNames) {
    const retentionMs = kafka.topics[topic]?.retentionMs;
    if (retentionMs !== undefined && retentionMs < 2 * tasks.deadlineMs)
      found.push({
        path: at(topic, "retentionMs"),
        text: `${retentionMs} contradicts tasks.deadlineMs ${tasks.deadlineMs}: keep records for twice as long at least`,
      });
  }
  return found;
};

/** A time that must be at most a share of another. */
const atMost = (smaller: string, larger: string, pick: (config: Config) => [number, number], share = 1): Rule => ({
  reads: [smaller, larger],
  find(config) {
    const [small, large] = pick(config);
    if (small <= large * share) return [];
    return [
      {
        path: smaller.split("."),
        text: `${small} contradicts ${larger} ${large}: it must be at most ${Math.floor(large * share)}`,
      },
    ];
  },
});

const intervals: readonly Rule[] = [
  // Kafka's own advice: three heartbeats within a session.
  atMost("kafka.heartbeatMs", "kafka.sessionTimeoutMs", ({ kafka }) => [kafka.heartbeatMs, kafka.sessionTimeoutMs], 1 / 3),
  atMost("kafka.lingerMs", "kafka.requestTimeoutMs", ({ kafka }) => [kafka.lingerMs, kafka.requestTimeoutMs]),
  atMost("kafka.fetchMaxWaitMs", "kafka.requestTimeoutMs", ({ kafka }) => [kafka.fetchMaxWaitMs, kafka.requestTimeoutMs]),
  atMost("cameras.reconnectMinMs", "cameras.reconnectMaxMs", ({ cameras }) => [cameras.reconnectMinMs, cameras.reconnectMaxMs]),
  atMost("cameras.staleMs", "cameras.frozenMs", ({ cameras }) => [cameras.staleMs, cameras.frozenMs]),
  atMost("llm.cooldown.minMs", "llm.cooldown.maxMs", ({ llm }) => [llm.cooldown.minMs, llm.cooldown.maxMs]),
];

/** Names that are there twice, in a tree of whatever shape. */
export const repeatedNames = (tree: Tree): Finding[] => {
  const list = (value: unknown, ...keys: string[]): unknown[] => {
    const inner = keys.reduce<unknown>((outer, key) => (isTree(outer) ? outer[key] : undefined), value);
    return Array.isArray(inner) ? inner : [];
  };
  const named = (items: readonly unknown[], at: (index: number) => Path, key: string) =>
    items.flatMap((item, index) =>
      isTree(item) && item[key] !== undefined ? [{ name: item[key], path: [...at(index), key] }] : [],
    );
  const keys = list(tree, "llm", "groups").flatMap((group, outer) =>
    named(list(group, "keys"), (index) => ["llm", "groups", outer, "keys", index], "id"),
  );
  return [
    ...repeated(
      named(list(tree, "cameras", "list"), (index) => ["cameras", "list", index], "id"),
      "the camera",
    ),
    ...repeated(
      named(list(tree, "llm", "groups"), (index) => ["llm", "groups", index], "name"),
      "the group",
    ),
    ...repeated(keys, "the key"),
    ...repeated(
      named(list(tree, "auth", "tokens"), (index) => ["auth", "tokens", index], "name"),
      "the token",
    ),
    ...repeated(
      named(list(tree, "alerts", "webhooks"), (index) => ["alerts", "webhooks", index], "name"),
      "the webhook",
    ),
  ];
};

const cameraCount = ({ cameras }: Config): Finding[] =>
  cameras.list.length <= cameras.maxCameras
    ? []
    : [
        {
          path: ["cameras", "list"],
          text: `${cameras.list.length} cameras are more than cameras.maxCameras ${cameras.maxCameras}`,
        },
      ];

const mendOf = (path: Path): string => {
  if (path[0] === "cameras" && path.at(-1) === "url")
    return "keep `user:password`, or the whole address, in a variable and write login: { env: NAME } beside a url without it";
  if (path[0] === "store") return "write the URL without it, and store.password: { env: NAME }";
  return "keep it in a variable or a file and name that: env: NAME or file: PATH";
};

/** Secrets written as values, in whatever shape. The value itself is never repeated. */
export const exposedSecrets = (value: unknown, path: Path = []): Finding[] => {
  if (typeof value === "string")
    return looksSecret(value) ? [{ path, text: `holds what looks like a secret, and would be printed: ${mendOf(path)}` }] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    exposedSecrets(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
};

const shadowGroup = ({ llm }: Config): Finding[] => {
  if (llm.shadow === null) return [];
  const path = ["llm", "shadow", "group"];
  const { group } = llm.shadow;
  if (!llm.groups.some(({ name }) => name === group)) return [{ path, text: `${group} is none of llm.groups` }];
  return llm.groups.length > 1 ? [] : [{ path, text: `${group} is the only group, and no other would answer` }];
};

const capsInOrder = ({ llm }: Config): Finding[] =>
  (["day", "cameraDay"] as const).flatMap((span) => {
    const { softCost, hardCost, softTokens, hardTokens } = llm.budget[span];
    const found: Finding[] = [];
    if (softCost !== undefined && hardCost !== undefined && softCost > hardCost)
      found.push({ path: ["llm", "budget", span, "softCost"], text: `${softCost} is above hardCost ${hardCost}` });
    if (softTokens !== undefined && hardTokens !== undefined && softTokens > hardTokens)
      found.push({ path: ["llm", "budget", span, "softTokens"], text: `${softTokens} is above hardTokens ${hardTokens}` });
    return found;
  });

/** Each rule with the settings it reads: it is left out while one of them has not even the right shape. */
export const rules: readonly Rule[] = [
  { reads: ["server.host", "auth.tokens"], find: exposure },
  { reads: ["roles", "bus.driver"], find: splitRoles },
  { reads: ["kafka.acks", "kafka.idempotent"], find: delivery },
  { reads: ["kafka.topics", "kafka.tracksTopic", "tasks.deadlineMs"], find: topics },
  ...intervals,
  { reads: ["cameras.list", "cameras.maxCameras"], find: cameraCount },
  { reads: ["llm.shadow", "llm.groups"], find: shadowGroup },
  { reads: ["llm.budget"], find: capsInOrder },
];

/** Combinations that work and surprise. */
export const remarksOf = ({ roles, store, kafka, bus, llm }: Config): string[] => {
  const remarks: string[] = [];
  const hasCostCap = [llm.budget.day, llm.budget.cameraDay].some(
    ({ softCost, hardCost }) => softCost !== undefined || hardCost !== undefined,
  );
  for (const { name, price } of hasCostCap ? llm.groups : [])
    if (price === undefined) remarks.push(`llm.groups ${name} has no price: its calls do not count against llm.budget`);
  if (roles.length < roleNames.length && store.redis === null)
    remarks.push(
      "roles are split and the store is embedded: give each process its own data.dir, and set store: { redis: URL } before one role runs twice",
    );
  if (bus.driver !== "kafka" && kafka.tracksTopic !== null)
    remarks.push("kafka.tracksTopic is set and the bus is embedded: tracks are written to Kafka alone");
  if (bus.driver === "kafka" && kafka.acks !== "all" && kafka.acks !== -1)
    remarks.push(`kafka.acks is ${kafka.acks}: a record that one broker confirmed is lost with that broker`);
  return remarks;
};
