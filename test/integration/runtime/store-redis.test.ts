import { describe, expect, test } from "bun:test";
import { systemClock } from "../../../runtime/clock.ts";
import { StartRefused } from "../../../runtime/errors.ts";
import { type Log, silentLog } from "../../../runtime/log.ts";
import { systemRandom } from "../../../runtime/random.ts";
import { connectRedis } from "../../../runtime/store-redis/connection.ts";
import { createRedisStore } from "../../../runtime/store-redis.ts";
import { redisMissing, startRedis } from "../../support/redis.ts";
import { storeContract } from "../../support/store-contract.ts";
import { thrownBy } from "../../support/thrown.ts";
import { within } from "../../support/wait.ts";

const open = async (url: string, log: Log = silentLog, password: string | null = null) =>
  createRedisStore(await connectRedis({ url, password }, { clock: systemClock, random: systemRandom, log }));

const fact = (key: string, ttlMs = 60_000) => ({ key, bytes: new TextEncoder().encode(key), ttlMs });

const lines = () => {
  const seen: { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[] = [];
  const take = (event: string, fields = {}) => void seen.push({ event, fields });
  const log: Log = { ...silentLog, info: take, warn: take, error: take };
  return { log, seen };
};

const missing = redisMissing();

describe.skipIf(missing !== null)(missing ?? "with a redis-server", () => {
  storeContract("redis", async () => {
    const server = await startRedis();
    let store = await open(server.url);
    return {
      store,
      async reopen() {
        await server.kill();
        await store.close();
        await server.start();
        store = await open(server.url);
        return store;
      },
      away: server.kill,
      back: server.start,
      age: server.age,
      async dispose() {
        await store.close();
        await server[Symbol.asyncDispose]();
      },
    };
  });

  test("an outage is one warning and one line at its end, and commands fail at once meanwhile", async () => {
    await using server = await startRedis();
    const { log, seen } = lines();
    const store = await open(server.url, log);
    await server.kill();
    await within(20_000, "an unhealthy store", () => store.health().status === "away");
    // If each waited for its limit of 2 s, the limit of the test would end it.
    for (let count = 0; count < 100; count++) await thrownBy(store.put([fact("a:1")]));
    await server.start();
    await within(20_000, "a healthy store", () => store.health().status === "up");
    expect(seen.map(({ event }) => event)).toEqual(["store.ready", "store.failed", "store.ready"]);
    await store.close();
  }, 60_000);

  test("a server that takes connections and answers nothing is away, within bounds, and comes back", async () => {
    await using server = await startRedis();
    const store = await open(server.url);
    await store.put([fact("a:1")]);
    server.freeze();
    expect(await thrownBy(store.get("a:1"))).toMatchObject({ code: "unavailable" });
    expect(store.health().status).toBe("away");
    server.thaw();
    await within(20_000, "the fact", async () => (await store.get("a:1").catch(() => null)) !== null);
    expect(store.health().status).toBe("up");
    await store.close();
  }, 60_000);

  test("a start without the server goes on, and the store is there when the server is", async () => {
    await using server = await startRedis();
    await server.kill();
    const { log, seen } = lines();
    const store = await open(server.url, log);
    expect(store.health().status).toBe("away");
    expect(seen.map(({ event }) => event)).toEqual(["store.failed"]);
    await server.start();
    await within(20_000, "a fact stored", () =>
      store.put([fact("a:1")]).then(
        () => true,
        () => false,
      ),
    );
    await store.close();
  }, 60_000);

  test("a password that is wrong or missing, or a database that is not there, refuses the start without showing the password", async () => {
    await using server = await startRedis(["--requirepass", "right-horse"], "right-horse");
    for (const [password, url] of [
      ["wrong-horse", server.url],
      [null, server.url],
      ["right-horse", server.url.replace(/0$/, "99")],
    ] as const) {
      const { log, seen } = lines();
      const thrown = await thrownBy(open(url, log, password));
      expect(thrown).toBeInstanceOf(StartRefused);
      expect(thrown).toMatchObject({ status: 78, message: expect.stringContaining(`127.0.0.1:${server.port}`) });
      expect(String(thrown) + JSON.stringify(seen)).not.toContain("horse");
    }
    const { log, seen } = lines();
    const store = await open(server.url, log, "right-horse");
    await store.put([fact("a:1")]);
    expect(JSON.stringify([seen, store.health()])).not.toContain("horse");
    await store.close();
  });

  test("a server whose memory is full refuses writes, and that is one warning until a write is taken again", async () => {
    await using server = await startRedis(["--maxmemory-policy", "noeviction"]);
    const { log, seen } = lines();
    const store = await open(server.url, log);
    await store.put([fact("a:1")]);
    const operator = server.client();
    await operator.config("SET", "maxmemory", "1");
    for (const facts of [[fact("a:2")], [fact("a:2"), fact("a:3")]])
      expect(await thrownBy(store.put(facts))).toMatchObject({ code: "unavailable" });
    expect(await store.get("a:1")).not.toBeNull();
    expect(store.health()).toMatchObject({ status: "away", detail: expect.stringContaining("maxmemory") });
    await operator.config("SET", "maxmemory", "0");
    await store.put([fact("a:2")]);
    expect(store.health().status).toBe("up");
    expect(seen.map(({ event }) => event)).toEqual(["store.ready", "store.failed", "store.ready"]);
    expect(await store.list("a:", 9)).toHaveLength(2);
    await store.close();
  });

  test("a list of many facts comes in order, page after page, within its limit of bytes", async () => {
    await using server = await startRedis(["--appendfsync", "no"]);
    const store = await open(server.url);
    const names = Array.from({ length: 3_000 }, (_, index) => `a:${String(index).padStart(5, "0")}`);
    await store.put(names.map((name) => fact(name)));
    await store.put(Array.from({ length: 3_000 }, (_, index) => fact(`b:${index}`)));
    const seen: string[] = [];
    for (let page = await store.list("a:", 700); page.length > 0; page = await store.list("a:", 700, seen.at(-1)))
      seen.push(...page.map(({ key }) => key));
    expect(seen).toEqual(names);
    for (let index = 0; index < 40; index++)
      await store.put([{ key: `c:${index}`, bytes: new Uint8Array(1_048_576), ttlMs: 60_000 }]);
    const large = await store.list("c:", 40);
    expect(large.length).toBeGreaterThanOrEqual(32);
    expect(large.length).toBeLessThan(40);
    await store.close();
  }, 60_000);
});
