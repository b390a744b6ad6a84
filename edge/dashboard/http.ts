/** The few calls of the HTTP interface that the dashboard makes. A refusal is a fault with the server's own code and words. */
import type { ProbeResult } from "../../actors/camera/source.ts";
import type { CameraState } from "../../protocols/camera.ts";
import type { DataOf } from "../../protocols/websocket.ts";
import { Fault, type FaultCode } from "../../runtime/errors.ts";

export type CameraRow = { readonly id: number; readonly name: string; readonly state: CameraState; readonly message: string };
export type SessionInfo = { readonly open: boolean; readonly name: string | null; readonly role: string | null };

const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
  const response = await fetch(path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const text = await response.text();
  const answer: unknown = text === "" ? null : JSON.parse(text);
  if (response.ok) return answer as T; // the contract of the route
  const problem = answer as { readonly code: FaultCode; readonly detail: string; readonly field?: string }; // every error is a problem document
  throw new Fault(problem.code, problem.detail, { details: { field: problem.field } });
};

type Tally = {
  readonly calls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cost: number;
};
type Limits = { readonly [Name in "rps" | "rpm" | "tps" | "tpm"]?: number };
/** What the panel shows of `GET /api/quota`. */
export type QuotaPage = {
  readonly groups: readonly {
    readonly name: string;
    readonly model: string;
    readonly state: string;
    readonly inFlight: number;
    readonly inFlightMax: number;
    readonly pausedForMs: number;
    readonly pausedBecause: string | null;
    readonly limits: Limits;
    readonly used: Limits;
    readonly today: Tally;
    readonly keys: readonly {
      readonly id: string;
      readonly masked: string;
      readonly state: string;
      readonly successRate: number;
      readonly coolsForMs: number;
      readonly disabledBecause: string | null;
      readonly today: Tally;
    }[];
  }[];
  readonly spend: {
    readonly currency: string;
    readonly state: "within" | "soft" | "hard";
    readonly today: Tally;
    readonly caps: { readonly day: { readonly softCost?: number; readonly hardCost?: number } };
  };
  readonly avoided: readonly { readonly reason: string; readonly count: number }[];
  /** Roles of which nothing is known here. */
  readonly missing: readonly string[];
  readonly forecast: { readonly camerasByQuota: number | null; readonly camerasByBudget: number | null };
};

export type IncidentRow = Pick<
  DataOf<"incident">,
  "id" | "phase" | "cameraId" | "hazard" | "level" | "openedAt" | "evidenceIds"
> & {
  readonly ack?: DataOf<"incident">["ack"];
};

export const http = {
  session: () => call<SessionInfo>("GET", "/api/session"),
  login: (token: string) => call<SessionInfo>("POST", "/api/session", { token }),
  logout: () => call<null>("DELETE", "/api/session"),
  cameras: () => call<{ readonly items: readonly CameraRow[] }>("GET", "/api/cameras").then(({ items }) => items),
  snapshot: () =>
    call<{ readonly streams: readonly DataOf<"detection_result">[] }>("GET", "/api/snapshot").then(({ streams }) => streams),
  incidents: () => call<{ readonly items: readonly IncidentRow[] }>("GET", "/api/incidents?limit=200").then(({ items }) => items),
  label: (id: string, label: boolean) => call<IncidentRow>("POST", `/api/incidents/${id}/ack`, { label }),
  quota: () => call<QuotaPage>("GET", "/api/quota"),
  add: (camera: { readonly name: string; readonly url: string; readonly fps: number }) =>
    call<CameraRow>("POST", "/api/cameras", camera),
  remove: (id: number) => call<null>("DELETE", `/api/cameras/${id}`),
  check: (url: string) => call<ProbeResult>("POST", "/api/cameras/0/check", { url }),
};
