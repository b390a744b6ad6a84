/** What the edge needs of the rest of the system, as one value handed to `createApp`. */
import type { Accounts } from "../actors/scheduler/accounts.ts";
import type { Bus } from "../runtime/bus.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Random } from "../runtime/random.ts";
import type { Store } from "../runtime/store.ts";
import type { SystemNode } from "../runtime/supervisor/node.ts";
import type { AuthToken } from "./auth.ts";
import type { Probe } from "./cameras/probe.ts";
import type { CameraRegistry } from "./cameras.ts";
import type { Evidence } from "./evidence.ts";
import type { KeyWatch } from "./keys.ts";
import type { LiveHub } from "./live/hub.ts";
import type { QuotaBoard } from "./quota.ts";

/** `degraded` works with less; `down` makes the process not ready. */
export type Check = { readonly status: "up" | "degraded" | "down"; readonly detail?: string | undefined };

export type ServerSettings = {
  /** The address the server is bound to; decides whether it answers to loopback names only. */
  readonly host: string;
  /** Origins of other sites whose pages may use the API. */
  readonly allowedOrigins: readonly string[];
};

export type EdgePorts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly version: string;
  readonly bus: Bus;
  readonly store: Store;
  /** The pictures of incidents. */
  readonly evidence: Pick<Evidence, "read">;
  readonly tree: () => SystemNode;
  readonly checks: () => Readonly<Record<string, Check>>;
  readonly cameras: CameraRegistry;
  readonly live: LiveHub;
  /** Null in a process that has no scheduler. */
  readonly llm: { readonly accounts: Accounts; readonly keys: KeyWatch } | null;
  readonly quota: Pick<QuotaBoard, "read">;
  /** Checked and limited: see `limitProbe`. */
  readonly probe: Probe;
  readonly tokens: readonly AuthToken[];
  readonly server: ServerSettings;
};
