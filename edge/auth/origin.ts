/** Where a request comes from: pages of other sites must not act, or read, in the name of whoever sits at this browser. */
import { Fault } from "../../runtime/errors.ts";
import type { Principal } from "../auth.ts";

const bare = (host: string): string => host.replace(/^\[|\]$/g, "").toLowerCase();

export const isLoopback = (host: string): boolean => {
  const name = bare(host);
  return name === "localhost" || name.endsWith(".localhost") || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
};

export type OriginRules = {
  /** The address the server is bound to. */
  readonly host: string;
  /** Origins, e.g. `https://board.example`, whose pages may use the API. */
  readonly allowedOrigins: readonly string[];
};

/**
 * A server on loopback answers to loopback names only. A page of another site can have its own name resolve to 127.0.0.1
 * (DNS rebinding) and would then be of the same origin; the name in `Host` gives it away.
 */
export const refuseForeignHost = (url: URL, rules: OriginRules): void => {
  if (!isLoopback(rules.host) || isLoopback(url.hostname)) return;
  throw new Fault("forbidden", `this server answers to loopback names only, not to ${bare(url.hostname).slice(0, 100)}`);
};

/** Same host, or listed. No `Origin` header means that no browser page asks. */
export const isOriginAllowed = (url: URL, headers: Headers, rules: OriginRules): boolean => {
  const origin = headers.get("origin");
  if (origin === null) return true;
  if (rules.allowedOrigins.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === url.host;
};

const isSafe = (method: string): boolean => method === "GET" || method === "HEAD";

/** A bearer token cannot be sent by a foreign page without this server's consent, so it needs no further proof. */
export const refuseForeignPage = (
  request: { readonly method: string; readonly url: URL; readonly headers: Headers },
  principal: Principal,
  rules: OriginRules,
): void => {
  if (principal.via === "bearer") return;
  const { method, url, headers } = request;
  const site = headers.get("sec-fetch-site");
  const isListed = rules.allowedOrigins.includes(headers.get("origin") ?? "");
  const isForeign = (site === "cross-site" || site === "same-site") && !isListed;
  // A link from elsewhere may open a page here; it may not read data into another page.
  const isNavigation = isSafe(method) && headers.get("sec-fetch-mode") === "navigate";
  if ((isForeign && !isNavigation) || !isOriginAllowed(url, headers, rules)) {
    throw new Fault("forbidden", "pages of other sites may not use this server; list the origin under server.corsOrigins");
  }
  const hasProof = site === "same-origin" || isListed || headers.get("origin") !== null;
  if (!isSafe(method) && principal.via === "cookie" && !hasProof) {
    throw new Fault("forbidden", "a change by session cookie needs an Origin or Sec-Fetch-Site header");
  }
};
