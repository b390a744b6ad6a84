/** Camera addresses as they may be shown: logins and secrets in the query are masked. */

const mask = "***";
const secretName = /pass|pwd|token|secret|auth|key|sign/i;

/** The address without its secrets. Text that is no URL is masked from its first `@` back to its scheme. */
export const maskAddress = (address: string): string => {
  const login = address.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, `$1${mask}@`);
  const at = login.indexOf("?");
  if (at < 0) return login;
  const query = login
    .slice(at + 1)
    .split("&")
    .map((pair) => {
      const name = pair.split("=", 1)[0] ?? "";
      return pair.includes("=") && secretName.test(name) ? `${name}=${mask}` : pair;
    });
  return `${login.slice(0, at)}?${query.join("&")}`;
};
