import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { type AuthToken, createAuth } from "../../../edge/auth.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const tokens: readonly AuthToken[] = [
  { name: "ops", token: "t0ken-of-ops", role: "operator" },
  { name: "gate.eyes", token: "t0ken-of-eyes", role: "viewer", cameras: [3, 4] },
];
const setUp = () => {
  const clock = virtualClock();
  return { clock, auth: createAuth(tokens, clock) };
};
const bearer = (token: string): Headers => new Headers({ authorization: `Bearer ${token}` });
const cookieHeader = (setCookie: string): Headers => new Headers({ cookie: `other=1; ${setCookie.split(";", 1)[0]}` });

test("without tokens everybody may do everything", () => {
  const auth = createAuth([], virtualClock());
  expect([auth.isOpen, auth.identify(new Headers(), "")]).toEqual([
    true,
    { name: "local", role: "operator", cameras: null, via: "open" },
  ]);
});

test.each([
  ["a known token", bearer("t0ken-of-eyes"), "gate.eyes"],
  ["the scheme in other letters", new Headers({ authorization: "bearer t0ken-of-ops" }), "ops"],
  ["an unknown token", bearer("guess"), undefined],
  ["no token", new Headers(), undefined],
  ["another scheme", new Headers({ authorization: "Basic t0ken-of-ops" }), undefined],
  ["a token where a cookie belongs", new Headers({ cookie: "vedette_session=t0ken-of-ops" }), undefined],
])("%s", (_what, headers, name) => {
  expect(setUp().auth.identify(headers, "")?.name).toBe(name as never);
});

test("a token carries its role and its cameras", () => {
  expect(setUp().auth.identify(bearer("t0ken-of-eyes"), "")).toEqual({
    name: "gate.eyes",
    role: "viewer",
    cameras: new Set([3, 4]),
    via: "bearer",
  });
});

test("a token whose secret is missing opens nothing, not even with a cookie made for it", () => {
  const clock = virtualClock();
  const auth = createAuth([{ name: "ops", token: "", role: "operator" }], clock);
  const expiresAt = clock.nowMs() + 1_000;
  const signature = createHmac("sha256", "").update(`vedette session ops ${expiresAt}`).digest("hex");
  const headers = new Headers({ cookie: `vedette_session=ops.${expiresAt}.${signature}` });
  expect([auth.isOpen, auth.identify(headers, ""), auth.identify(new Headers(), "")]).toEqual([false, null, null]);
});

describe("sessions", () => {
  test("a cookie stands for its token, and holds nothing of it", () => {
    const { auth } = setUp();
    const { cookie } = auth.login("t0ken-of-eyes", "", false);
    expect(cookie).not.toContain("t0ken-of-eyes");
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict$/);
    expect(auth.identify(cookieHeader(cookie), "")).toMatchObject({ name: "gate.eyes", via: "cookie" });
  });

  test("over TLS the cookie is for TLS only", () => {
    expect(setUp().auth.login("t0ken-of-ops", "", true).cookie).toMatch(/; Secure$/);
  });

  test("ends after twelve hours", async () => {
    const { clock, auth } = setUp();
    const headers = cookieHeader(auth.login("t0ken-of-ops", "", false).cookie);
    await clock.advance(12 * 3_600_000 - 1);
    expect(auth.identify(headers, "")?.name).toBe("ops");
    await clock.advance(1);
    expect(auth.identify(headers, "")).toBeNull();
  });

  test("ends when its token is another one", () => {
    const { clock, auth } = setUp();
    const headers = cookieHeader(auth.login("t0ken-of-ops", "", false).cookie);
    const changed = createAuth([{ name: "ops", token: "renewed", role: "operator" }], clock);
    expect(changed.identify(headers, "")).toBeNull();
  });

  test.each([
    ["a later end", (value: string) => value.replace(/\.(\d+)\./, (_, at) => `.${Number(at) + 1}.`)],
    ["another name", (value: string) => value.replace("=ops.", "=gate%2Eeyes.")],
    ["no signature", (value: string) => value.slice(0, value.lastIndexOf(".") + 1)],
    ["broken encoding", (value: string) => value.replace("=ops.", "=%E0%A4%A.")],
  ])("a cookie with %s is refused", (_what, forge) => {
    const { auth } = setUp();
    const value = auth.login("t0ken-of-ops", "", false).cookie.split(";", 1)[0] ?? "";
    expect(auth.identify(new Headers({ cookie: forge(value) }), "")).toBeNull();
  });
});

describe("guessing", () => {
  const guess = (auth: ReturnType<typeof createAuth>, address: string): string => {
    try {
      return auth.identify(bearer("guess"), address) ? "known" : "refused";
    } catch (thrown) {
      return (thrown as { code: string }).code; // a Fault
    }
  };

  test("is stopped after ten failures of an address, for a minute", async () => {
    const { clock, auth } = setUp();
    const answers = Array.from({ length: 12 }, () => guess(auth, "10.0.0.9"));
    expect(answers.filter((answer) => answer === "rate_limited")).toHaveLength(2);
    expect(() => auth.login("t0ken-of-ops", "10.0.0.9", false)).toThrow("too many");
    expect(guess(auth, "10.0.0.8")).toBe("refused");
    await clock.advance(60_000);
    expect(auth.identify(bearer("t0ken-of-ops"), "10.0.0.9")?.name).toBe("ops");
  });

  test("from very many addresses is remembered within bounds", () => {
    const { auth } = setUp();
    for (let address = 0; address < 5_000; address++) guess(auth, String(address));
    expect(guess(auth, "0")).toBe("refused");
  });
});
