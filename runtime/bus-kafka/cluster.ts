/** Questions to the cluster outside any group, tried again where another broker or a moment later may answer. */
import type { Cluster } from "kafkajs";
import { type Clock, delay } from "../clock.ts";
import { Fault } from "../errors.ts";
import type { Log } from "../log.ts";
import { createCluster, type KafkaAccess } from "./client.ts";
import { asFault, protocolErrorOf } from "./faults.ts";
import { type Outage, withinTime } from "./outage.ts";

export type ClusterPorts = { readonly access: KafkaAccess; readonly clock: Clock; readonly log: Log; readonly outage: Outage };

export type ClusterView = {
  /** Connects when needed, and makes sure that the topic's leaders are known. Rejects with a `Fault`. */
  readonly ask: <Answer>(doing: string, topic: string, question: (cluster: Cluster) => Promise<Answer>) => Promise<Answer>;
  /** Of a question that was asked beside `ask`. */
  readonly failed: (doing: string, thrown: unknown) => void;
  readonly close: () => Promise<void>;
};

/** A partition that is new, or whose leader has gone, has its next leader in a moment. */
const leaderMoves =
  /^(NOT_LEADER_FOR_PARTITION|LEADER_NOT_AVAILABLE|UNKNOWN_TOPIC_OR_PARTITION|FENCED_LEADER_EPOCH|UNKNOWN_LEADER_EPOCH)$/;
const leaderMs = 15_000;
const backoffMaxMs = 1_000;

type Closed = { readonly name?: unknown; readonly host?: unknown; readonly port?: unknown };

/** A connection that ended is taken out, as the client's own consumer does. */
const forgetBroker = (cluster: Cluster, thrown: unknown): void => {
  const { name, host, port } = thrown as Closed; // fields of unknown type, looked at one by one
  if (name === "KafkaJSConnectionClosedError" && typeof host === "string" && typeof port === "number")
    cluster.removeBroker({ host, port });
};

export const openCluster = ({ access, clock, log, outage }: ClusterPorts): ClusterView => {
  let cluster: Cluster | null = null;
  let closed = false;

  const attempt = async <Answer>(topic: string, question: (cluster: Cluster) => Promise<Answer>): Promise<Answer> => {
    cluster ??= createCluster(access, log);
    const asked = cluster;
    try {
      await asked.connect();
      await asked.addMultipleTargetTopics([topic]);
      return await question(asked);
    } catch (thrown) {
      forgetBroker(asked, thrown);
      throw thrown;
    }
  };
  /** The next question begins with the bootstrap addresses. */
  const reset = () => {
    void cluster?.disconnect().catch(() => {});
    cluster = null;
  };

  return {
    async ask(doing, topic, question) {
      const limitMs = 2 * access.requestTimeoutMs;
      const askedAtMs = clock.monotonicMs();
      for (let failures = 0; ; failures++) {
        if (closed) throw new Fault("unavailable", "the bus is closed");
        outage.refuse();
        try {
          const late = () =>
            new Fault("unavailable", `${doing}: no answer within ${limitMs} ms`, { details: { reason: "timeout" } });
          const answer = await withinTime(clock, limitMs, attempt(topic, question), late);
          outage.worked();
          return answer;
        } catch (thrown) {
          const fault = asFault(thrown, doing);
          if (closed) throw new Fault("unavailable", "the bus is closed", { cause: thrown });
          const moves = leaderMoves.test(protocolErrorOf(thrown) ?? "") && clock.monotonicMs() - askedAtMs < leaderMs;
          if (!fault.retryable || (failures >= access.retriesMax && !moves)) {
            if (fault.retryable) reset();
            outage.failed(fault);
            throw fault;
          }
          await delay(clock, Math.min(backoffMaxMs, access.retryBackoffMs * 2 ** failures));
          await cluster?.refreshMetadata().catch(() => {}); // the next attempt says what is wrong
        }
      }
    },
    failed(doing, thrown) {
      if (cluster !== null) forgetBroker(cluster, thrown);
      outage.failed(asFault(thrown, doing));
    },
    async close() {
      closed = true;
      await cluster?.disconnect().catch(() => {});
      cluster = null;
    },
  };
};
