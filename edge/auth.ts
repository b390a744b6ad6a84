/**
 * Who is asking. Tokens come by `Authorization: Bearer`, or stand behind a session cookie that a browser gets for one; never
 * in a query string. Without tokens everything is open, which is allowed on loopback only.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../runtime/clock.ts";
import { Fault } from "../runtime/errors.ts";

export type Role = "viewer" | "operator";

export type AuthToken = {
  readonly name: string;
  readonly token: string;
  readonly role: Role;
  /** The only cameras it may see; all when left out. */
  readonly cameras?: readonly number[] | undefined;
};

export type Principal = {
  readonly name: string;
  readonly role: Role;
  /** Null is every camera. */
  readonly cameras: ReadonlySet<number> | null;
  readonly via: "open" | "bearer" | "cookie";
};

export type Auth = {
  readonly isOpen: boolean;
  /** Null when the request carries no valid token; `address` is whom failures are counted against. */
  readonly identify: (headers: Headers, address: string) => Principal | null;
  /** The value of a `Set-Cookie` header for a valid token. */
  readonly login: (
    token: string,
    address: string,
    isSecure: boolean,
  ) => { readonly cookie: string; readonly principal: Principal };
  readonly logout: string;
};

export const sessionCookie = "vedette_session";
const sessionMs = 12 * 3_600_000;
const failuresMax = 10;
const failureWindowMs = 60_000;
const addressesMax = 1_000;

const digest = (token: string): string => createHash("sha256").update(token).digest("hex");
const cookieOf = (headers: Headers): string | null => {
  for (const pair of headers.get("cookie")?.split(";") ?? []) {
    const [name, value] = pair.trim().split("=", 2);
    if (name === sessionCookie && value) return value;
  }
  return null;
};
const attributes = "Path=/; HttpOnly; SameSite=Strict";

/** Counts refused tokens by address, so that guessing is slow. Bounded: the oldest address is forgotten first. */
const createFailures = (clock: Clock) => {
  const byAddress = new Map<string, { count: number; readonly untilMs: number }>();
  return {
    refuseMany(address: string): void {
      const failures = byAddress.get(address);
      if (!failures) return;
      if (clock.monotonicMs() >= failures.untilMs) byAddress.delete(address);
      else if (failures.count >= failuresMax) throw new Fault("rate_limited", "too many refused tokens; try again in a minute");
    },
    note(address: string): void {
      const failures = byAddress.get(address);
      if (failures) failures.count += 1;
      else byAddress.set(address, { count: 1, untilMs: clock.monotonicMs() + failureWindowMs });
      if (byAddress.size > addressesMax) byAddress.delete(byAddress.keys().next().value ?? "");
    },
  };
};

export const createAuth = (tokens: readonly AuthToken[], clock: Clock): Auth => {
  // A token whose secret is missing opens nothing: an empty one would sign cookies that anybody can make.
  const usable = tokens.filter(({ token }) => token !== "");
  const byDigest = new Map(usable.map((token) => [digest(token.token), token]));
  const byName = new Map(usable.map((token) => [token.name, token]));
  const failures = createFailures(clock);
  const open: Principal = { name: "local", role: "operator", cameras: null, via: "open" };

  const principal = (token: AuthToken, via: Principal["via"]): Principal => ({
    name: token.name,
    role: token.role,
    cameras: token.cameras ? new Set(token.cameras) : null,
    via,
  });
  const check = (presented: string, address: string): AuthToken | null => {
    failures.refuseMany(address);
    const found = byDigest.get(digest(presented)) ?? null;
    if (!found) failures.note(address);
    return found;
  };

  // The cookie is signed with the token it stands for: nothing is kept here, and it ends when the token is taken away.
  const sign = (token: AuthToken, expiresAt: number): string =>
    createHmac("sha256", token.token).update(`vedette session ${token.name} ${expiresAt}`).digest("hex");
  const readCookie = (value: string): AuthToken | null => {
    const [name = "", expires = "", signature = ""] = value.split(".").map(decodeURIComponentSafely);
    const token = byName.get(name);
    const expiresAt = Number(expires);
    if (!token || !(expiresAt > clock.nowMs())) return null;
    const wanted = Buffer.from(sign(token, expiresAt));
    const given = Buffer.from(signature);
    return wanted.length === given.length && timingSafeEqual(wanted, given) ? token : null;
  };

  return {
    isOpen: tokens.length === 0,

    identify(headers, address) {
      if (tokens.length === 0) return open;
      const bearer = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
      if (bearer !== undefined) {
        const token = check(bearer, address);
        return token && principal(token, "bearer");
      }
      const cookie = cookieOf(headers);
      const token = cookie === null ? null : readCookie(cookie);
      return token && principal(token, "cookie");
    },

    login(presented, address, isSecure) {
      const token = check(presented, address);
      if (!token) throw new Fault("unauthorized", "this token is not known");
      const expiresAt = clock.nowMs() + sessionMs;
      const value = `${encodeURIComponent(token.name).replaceAll(".", "%2E")}.${expiresAt}.${sign(token, expiresAt)}`;
      const cookie = `${sessionCookie}=${value}; Max-Age=${sessionMs / 1000}; ${attributes}${isSecure ? "; Secure" : ""}`;
      return { cookie, principal: principal(token, "cookie") };
    },

    logout: `${sessionCookie}=; Max-Age=0; ${attributes}`,
  };
};

const decodeURIComponentSafely = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // not one of our cookies
  }
};

export const requireRole = (principal: Principal, role: Role): void => {
  if (role === "operator" && principal.role !== "operator") {
    throw new Fault("forbidden", `token ${principal.name} may look but not change; use one with role operator`);
  }
};

export const mayUseCamera = (principal: Principal, cameraId: number): boolean => principal.cameras?.has(cameraId) ?? true;

/** A camera outside the token's scope is answered like one that is not there. */
export const requireCamera = (principal: Principal, cameraId: number): void => {
  if (!mayUseCamera(principal, cameraId)) throw new Fault("unknown_camera", `there is no camera ${cameraId}`);
};
