/** Which addresses a camera may have. Pure but for the lookups it is handed. */
import { isAbsolute, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Fault } from "../../runtime/errors.ts";
import { isHeldBack, isLoopback } from "./ip-address.ts";
import { parseJunctionUrl } from "./junction.ts";
import type { MediaAddress } from "./media.ts";

export type AddressPolicy = {
  /** Files are taken from below these directories only. */
  readonly mediaDirs: readonly string[];
  /** True when the server listens on a loopback address: who can reach it can reach loopback anyway. */
  readonly allowLoopback: boolean;
  /** Host names and addresses that may be loopback all the same; link-local addresses only when the address itself is listed. */
  readonly allowHosts: readonly string[];
};

export type AddressPorts = {
  /** Every address of a host name; rejects when there is none. */
  readonly lookup: (host: string) => Promise<readonly string[]>;
  /** The true path behind symbolic links, and whether it is a regular file; null when nothing is there. */
  readonly realpath: (path: string) => Promise<{ readonly path: string; readonly isFile: boolean } | null>;
};

const kinds: Readonly<Record<string, Exclude<MediaAddress["kind"], "file">>> = {
  "rtsp:": "rtsp",
  "rtsps:": "rtsp",
  "rtmp:": "rtmp",
  "rtmps:": "rtmp",
  "http:": "http",
  "https:": "http",
};

const secretParameter = /([?&][^=&#\s]*(?:pass|pwd|secret|token|auth|key|user|usr|login|sig)[^=&#\s]*=)[^&#\s]*/gi;

/** Hides user, password and secret parameters in every address within a text. */
export const maskUrl = (text: string): string =>
  text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, "$1***@")
    // A password with an unescaped slash; a port is digits up to the slash.
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@:]*:(?!\d{1,5}[/?#])[^\s@]*@/gi, "$1***@")
    .replace(secretParameter, "$1***");

const refused = (url: string, why: string): Fault => new Fault("source_refused", `${maskUrl(url).slice(0, 200)}: ${why}`);

/** The scheme of a camera's address with its colon, in lower case; empty when there is none. */
export const schemeOf = (url: string): string => /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase() ?? "";

const isBelow = (directory: string, path: string): boolean => {
  const way = relative(directory, path);
  return way !== "" && !way.startsWith("..") && !isAbsolute(way);
};

const checkFile = async (url: string, policy: AddressPolicy, ports: AddressPorts): Promise<MediaAddress> => {
  const dirs = policy.mediaDirs.map((dir) => resolve(dir));
  const outside = new Fault(
    "source_refused",
    `${maskUrl(url).slice(0, 200)} is not below ${dirs.join(" or ")}; add its directory to cameras.mediaDirs`,
  );
  let named: string;
  try {
    named = url.toLowerCase().startsWith("file://") ? fileURLToPath(url) : url.slice("file:".length);
  } catch {
    throw refused(url, "a file is written file:relative/path or file:///absolute/path");
  }
  // An escaped zero in a plain path is no file anybody has, but a try at those who unescape it further on.
  if (named === "" || /\0|%00/.test(named)) throw refused(url, "a file is written file:relative/path or file:///absolute/path");
  const path = resolve(named);
  // Asked before the file system is, so that a refusal does not tell what exists elsewhere.
  if (!dirs.some((dir) => isBelow(dir, path))) throw outside;
  const real = await ports.realpath(path);
  if (!real) throw new Fault("not_found", `there is no file ${path}`);
  const realDirs = await Promise.all(dirs.map(async (dir) => (await ports.realpath(dir))?.path ?? dir));
  if (!realDirs.some((dir) => isBelow(dir, real.path))) throw outside;
  if (!real.isFile) throw refused(url, "not a regular file");
  return { kind: "file", target: real.path };
};

const checkHost = async (url: string, kind: MediaAddress["kind"], policy: AddressPolicy, ports: AddressPorts) => {
  let parsed: URL;
  let host: string;
  try {
    parsed = new URL(url);
    if (parsed.hostname === "") throw new Error("the host is missing");
    // Only http URLs bring the odd spellings of IPv4 (127.1, 0x7f000001) into their usual form.
    host = new URL(`http://${parsed.hostname}`).hostname.replace(/^\[|\]$/g, "");
  } catch {
    throw refused(url, "not a valid address with a host");
  }
  const addresses = /^[\d.]+$|:/.test(host)
    ? [host]
    : await ports.lookup(host).catch(() => {
        throw new Fault("unavailable", `host ${host} is not known`);
      });
  if (addresses.length === 0) throw new Fault("unavailable", `host ${host} is not known`);
  const listed = new Set(policy.allowHosts.map((entry) => entry.toLowerCase().replace(/^\[|\]$/g, "")));
  for (const address of addresses) {
    if (listed.has(address)) continue;
    if (isHeldBack(address)) {
      throw refused(url, `host ${host} is ${address}, a link-local or metadata address; add that address to cameras.allowHosts`);
    }
    if (!isLoopback(address) || policy.allowLoopback || listed.has(host)) continue;
    throw refused(url, `host ${host} is a loopback address and the server is open to others; add it to cameras.allowHosts`);
  }
  // The URL as parsed, so that what is opened has the host that was checked.
  return { kind, target: parsed.href };
};

/** What may be opened for this address; rejects with a `Fault`: `source_refused` for good, other codes for what may yet change. */
export const checkAddress = async (url: string, policy: AddressPolicy, ports: AddressPorts): Promise<MediaAddress> => {
  const scheme = schemeOf(url);
  if (scheme === "file:") return checkFile(url, policy, ports);
  const kind = kinds[scheme];
  if (!kind) {
    const known = `file: ${Object.keys(kinds).join(" ")} sim:`;
    throw refused(url, `${scheme === "" ? "the scheme is missing" : `scheme ${scheme} is not known`}; one of ${known}`);
  }
  return checkHost(url, kind, policy, ports);
};

export type AddressCheck = {
  /** What is to be opened. */
  readonly resolve: (url: string) => Promise<MediaAddress>;
  /** Rejects what will never be opened; lets pass what may yet come: a host that is not known today, a file that is not there. */
  readonly admit: (url: string) => Promise<void>;
};

export const createAddressCheck = (policy: AddressPolicy, ports: AddressPorts): AddressCheck => ({
  resolve: (url) => checkAddress(url, policy, ports),
  async admit(url) {
    if (schemeOf(url) === "sim:") {
      parseJunctionUrl(url);
      return;
    }
    await checkAddress(url, policy, ports).catch((thrown: unknown) => {
      if (thrown instanceof Fault && thrown.code !== "source_refused") return;
      throw thrown;
    });
  },
});
