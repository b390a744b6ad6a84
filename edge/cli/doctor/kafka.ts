/**
 * Whether each Kafka broker is reached at the address that it advertises. A bootstrap address may work and the advertised one
 * not: clients go on at the advertised one, so the trouble begins after the first answer. Nothing is rewritten; the line of
 * `kafka.addressMap` that would mend it is tried and shown.
 */
import type { LoadedConfig } from "../../../config/load.ts";
import type { Session } from "../command.ts";
import {
  type Address,
  addressText,
  type Cluster,
  type Probe,
  type ProbeOptions,
  parseAddress,
  probeBroker,
  resolveHost,
} from "./broker-probe.ts";
import type { Finding } from "./finding.ts";

export type BrokerReport = {
  /** The configured address that led here; null for a broker that was met in the metadata only. */
  readonly bootstrap: string | null;
  readonly advertised: string | null;
  /** What `kafka.addressMap` makes of it. */
  readonly dialled: string;
  readonly resolved: readonly string[];
  readonly reachable: boolean;
  readonly trouble?: string;
};

const name = "kafka";

/** 198.18.0.0/15 is kept for benchmarks (RFC 2544); proxies give addresses out of it to names that they answer for. */
const isProxyRange = (address: string): boolean => /^198\.1[89]\./.test(address);
const proxyHint =
  "198.18.0.0/15 is given out by proxies (fake-IP mode) for names that they answer for, so no broker may be behind it";

const optionsOf = ({ config, resolveSecret }: LoadedConfig, { clock }: Session): ProbeOptions => {
  const { ssl, sasl, clientId } = config.kafka;
  if (sasl === null) return { clock, clientId, ssl };
  const { mechanism, username } = sasl;
  const password = resolveSecret(sasl) ?? "";
  return { clock, clientId, ssl, sasl: { mechanism, username, password } as NonNullable<ProbeOptions["sasl"]> }; // a union by mechanism of one shape
};

type Looked = {
  readonly address: Address;
  readonly dialled: Address;
  readonly resolved: readonly string[];
  readonly probe: Probe;
};

const createLook = (loaded: LoadedConfig, session: Session) => {
  const options = optionsOf(loaded, session);
  const map = new Map(Object.entries(loaded.config.kafka.addressMap).map(([from, to]) => [from.toLowerCase(), parseAddress(to)]));
  const known = new Map<string, Promise<Probe>>();
  const probe = (address: Address): Promise<Probe> => {
    const key = addressText(address).toLowerCase();
    const found = known.get(key) ?? probeBroker(address, options);
    known.set(key, found);
    return found;
  };
  const look = async (address: Address): Promise<Looked> => {
    const dialled = map.get(addressText(address).toLowerCase()) ?? address;
    const [resolved, probed] = await Promise.all([resolveHost(dialled.host), probe(dialled)]);
    return { address, dialled, resolved, probe: probed };
  };
  return { look, probe };
};
type Look = ReturnType<typeof createLook>;

const mapLine = (from: Address, to: Address): string => `kafka: { addressMap: { "${addressText(from)}": "${addressText(to)}" } }`;

const troubleOf = ({ address, dialled, resolved, probe }: Looked): string => {
  if (probe.kind === "answers") return "";
  const mapped = addressText(address) === addressText(dialled) ? "" : `, mapped to ${addressText(dialled)}`;
  const found = resolved.length > 0 && !resolved.includes(dialled.host) ? ` (${resolved.join(", ")})` : "";
  const hint = resolved.some(isProxyRange)
    ? `; ${proxyHint}`
    : probe.kind === "closes"
      ? "; a proxy, or a listener that expects TLS (kafka.ssl)"
      : "";
  return `${addressText(address)}${mapped}${found}: ${probe.reason}${hint}`;
};

/** The first of some addresses where the same cluster answers; any cluster when `id` is null. */
const firstThatAnswers = async (candidates: readonly Address[], id: string | null, { probe }: Look): Promise<Address | null> => {
  for (const candidate of candidates) {
    const answer = await probe(candidate);
    if (answer.kind === "answers" && (id === null || answer.cluster.id === id)) return candidate;
  }
  return null;
};

const bootstrapFinding = async (looked: Looked, look: Look): Promise<Finding> => {
  const { address } = looked;
  const isLocal = /^(localhost|127\.|::1$)/.test(address.host);
  const near = isLocal ? null : await firstThatAnswers([{ host: "localhost", port: address.port }], null, look);
  const detail = `bootstrap ${troubleOf(looked)}`;
  if (near)
    return { name, status: "fail", detail: `${detail}; a broker answers at ${addressText(near)}`, mend: mapLine(address, near) };
  const mend = isLocal
    ? "start the broker (bun run broker start), or correct kafka.bootstrapServers"
    : "start the broker, or correct kafka.bootstrapServers; a container's name is known inside its network only";
  return { name, status: "fail", detail, mend };
};

const advertisedFinding = async (looked: Looked, nodeId: number, by: Looked, cluster: Cluster, look: Look): Promise<Finding> => {
  const { address } = looked;
  const text = addressText(address);
  if (looked.probe.kind === "answers") return { name, status: "ok", detail: `broker ${nodeId} answers at ${text}` };
  const detail = `broker ${nodeId}: the bootstrap server ${addressText(by.address)} answers, but advertises ${troubleOf(looked)}`;
  const candidates = [{ host: by.dialled.host, port: address.port }, ...(cluster.brokers.length === 1 ? [by.dialled] : [])];
  const mend = await firstThatAnswers(candidates, cluster.id, look);
  if (mend) return { name, status: "fail", detail, mend: mapLine(address, mend) };
  return {
    name,
    status: "fail",
    detail,
    mend: `let the broker advertise an address that this machine reaches (advertised.listeners), or map it: ${mapLine(address, { host: "HOST", port: address.port })}`,
  };
};

const reportOf = (looked: Looked, bootstrap: Address | null, isAdvertised: boolean): BrokerReport => {
  const trouble = troubleOf(looked);
  return {
    bootstrap: bootstrap && addressText(bootstrap),
    advertised: isAdvertised ? addressText(looked.address) : null,
    dialled: addressText(looked.dialled),
    resolved: looked.resolved,
    reachable: looked.probe.kind === "answers",
    ...(trouble === "" ? {} : { trouble }),
  };
};

export const kafka = async (
  loaded: LoadedConfig,
  session: Session,
): Promise<(Finding & { readonly brokers?: readonly BrokerReport[] })[]> => {
  const { config } = loaded;
  if (config.bus.driver !== "kafka") return [{ name, status: "skip", detail: "bus: embedded, topics are kept in data.dir" }];
  const look = createLook(loaded, session);
  const bootstraps = await Promise.all(config.kafka.bootstrapServers.map((text) => look.look(parseAddress(text))));
  const findings: Finding[] = [];
  for (const looked of bootstraps) if (looked.probe.kind !== "answers") findings.push(await bootstrapFinding(looked, look));
  const by = bootstraps.find(({ probe }) => probe.kind === "answers");
  if (by?.probe.kind !== "answers")
    return findings.map((finding, index) =>
      index === 0 ? { ...finding, brokers: bootstraps.map((each) => reportOf(each, each.address, false)) } : finding,
    );

  const { cluster } = by.probe;
  const met: { readonly looked: Looked; readonly report: BrokerReport }[] = [];
  for (const { nodeId, host, port } of cluster.brokers) {
    const looked = await look.look({ host, port });
    findings.push(await advertisedFinding(looked, nodeId, by, cluster, look));
    met.push({ looked, report: reportOf(looked, by.address, true) });
  }
  const away = bootstraps.filter(({ probe }) => probe.kind !== "answers").map((each) => reportOf(each, each.address, false));
  const summary: Finding = {
    name,
    status: "ok",
    detail: `${addressText(by.address)} answers: cluster ${cluster.id} of ${cluster.brokers.length} ${cluster.brokers.length === 1 ? "broker" : "brokers"}`,
  };
  return [{ ...summary, brokers: [...met.map(({ report }) => report), ...away] }, ...findings];
};
