/** Asking a running process over its own HTTP. */
import { isLoopback } from "../../config/rules.ts";
import { Fault, reasonOf, StartRefused } from "../../runtime/errors.ts";
import { exit, type Given, type Session } from "./command.ts";

const timeoutMs = 30_000;

export type Server = {
  readonly url: string;
  readonly token: string | undefined;
  /** The body of a 2xx answer; a refusal is thrown with the words of its problem document. */
  readonly ask: (method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: unknown) => Promise<unknown>;
};

/** Where the configured process listens, as this machine reaches it. */
const configuredUrl = (host: string, port: number): string => {
  const reached = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reached.includes(":") ? `[${reached}]` : reached}:${port}`;
};

const readUrl = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== "http:" && url?.protocol !== "https:")
    throw new StartRefused(exit.usage, `--server takes an address such as http://127.0.0.1:8080, not ${JSON.stringify(text)}`);
  if (url.username !== "" || url.password !== "")
    throw new StartRefused(exit.usage, "--server takes no login: name the token's variable by --token-env");
  return url.href.replace(/\/+$/, "");
};

/** The configured process is known by its own tokens; any other is told only the one that was named for it. */
const tokenFor = (given: Given, session: Session): string | undefined => {
  const named = given.text("token-env");
  const token = session.environment[named ?? "VEDETTE_TOKEN"]?.trim();
  if (named !== undefined && !token) throw new StartRefused(exit.usage, `--token-env: the variable ${named} holds nothing`);
  if (token || given.text("server") !== undefined) return token;
  const { config, resolveSecret } = session.config();
  const operator = config.auth.tokens.find(({ role, cameras }) => role === "operator" && cameras === undefined);
  return operator ? (resolveSecret(operator) ?? undefined) : undefined;
};

const problemIn = (body: string): { readonly code: string; readonly detail: string } | null => {
  try {
    const { code, detail } = JSON.parse(body) as { code?: unknown; detail?: unknown }; // checked in the next line
    return typeof code === "string" && typeof detail === "string" ? { code, detail } : null;
  } catch {
    return null;
  }
};

export const connectServer = (given: Given, session: Session): Server => {
  const named = given.text("server");
  const { host, port } = session.config().config.server;
  if (named === undefined && port === 0)
    throw new StartRefused(
      exit.usage,
      "server.port is 0, so only the process knows its port: give --server URL, which it printed",
    );
  const url = named === undefined ? configuredUrl(host, port) : readUrl(named);
  const token = tokenFor(given, session);
  if (token !== undefined && url.startsWith("http:") && !isLoopback(new URL(url).hostname))
    session.note("warning: the token travels unencrypted; use an https: address for another machine");
  return {
    url,
    token,
    async ask(method, path, body) {
      let response: Response;
      try {
        response = await fetch(`${url}${path}`, {
          method,
          redirect: "error", // a redirect would carry the token elsewhere
          signal: AbortSignal.any([session.signal, AbortSignal.timeout(timeoutMs)]),
          headers: {
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined ? {} : { "content-type": "application/json" }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
      } catch (thrown) {
        const mend = named === undefined ? "start it (bun run start), or give --server URL" : "check the address";
        throw new Fault("unavailable", `no vedette answers at ${url} (${reasonOf(thrown)}): ${mend}`);
      }
      const text = await response.text();
      if (response.ok) return text === "" ? null : JSON.parse(text);
      const problem = problemIn(text);
      const mend =
        response.status === 401 ? "; put an operator's token into VEDETTE_TOKEN, or name its variable by --token-env" : "";
      throw new Fault(
        "unavailable",
        problem ? `${problem.code}: ${problem.detail}${mend}` : `${url} answered ${response.status}`,
      );
    },
  };
};
