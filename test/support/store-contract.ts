/** What every store driver keeps. A driver's test calls `storeContract` with a way to open it; nothing here knows a driver. */
import { describe, expect, test } from "bun:test";
import type { Fact, Store } from "../../runtime/store.ts";
import { thrownBy } from "./thrown.ts";
import { within } from "./wait.ts";

export type StoreUnderTest = {
  readonly store: Store;
  /** Ends the store as a crash does and opens the same facts again. */
  readonly reopen?: () => Promise<Store>;
  /** Cuts the store off, and lets it back. */
  readonly away?: () => void | Promise<void>;
  readonly back?: () => void | Promise<void>;
  /** Makes `ms` pass for what expires. */
  readonly age: (ms: number) => void | Promise<void>;
  readonly dispose: () => Promise<void>;
};

export type StoreAbility = "reopen" | "away";

const hourMs = 3_600_000;
const fact = (key: string, text = key, ttlMs = hourMs): Fact => ({ key, bytes: new TextEncoder().encode(text), ttlMs });
const textOf = (bytes: Uint8Array | null): string | null => (bytes === null ? null : new TextDecoder().decode(bytes));

export const storeContract = (name: string, open: () => Promise<StoreUnderTest>, lacks: readonly StoreAbility[] = []): void => {
  const opened = async () => {
    const under = await open();
    return { ...under, [Symbol.asyncDispose]: under.dispose };
  };
  const needed = <Part>(part: Part | undefined): Part => {
    if (part === undefined) throw new Error("the driver does not offer what it does not lack");
    return part;
  };

  describe(`store contract: ${name}`, () => {
    test("a fact is read as it was written, and what was not written is null", async () => {
      await using under = await opened();
      await under.store.put([fact("a:1", "one"), fact("a:2", "")]);
      expect(textOf(await under.store.get("a:1"))).toBe("one");
      expect(textOf(await under.store.get("a:2"))).toBe("");
      expect(await under.store.get("a:3")).toBeNull();
    });

    test("a later value replaces the earlier one, also within one call", async () => {
      await using under = await opened();
      const { store } = under;
      await Promise.all([store.put([fact("a:1", "first")]), store.put([fact("a:1", "second"), fact("a:1", "third")])]);
      expect(textOf(await store.get("a:1"))).toBe("third");
    });

    test("only the bytes of a view are kept, as they were when put; a reader gets its own", async () => {
      await using under = await opened();
      const { store } = under;
      const buffer = new TextEncoder().encode("before-this-after");
      const putting = store.put([{ key: "a:1", bytes: buffer.subarray(7, 11), ttlMs: hourMs }]);
      buffer.fill(0);
      await putting;
      (await store.get("a:1"))?.fill(0);
      expect(textOf(await store.get("a:1"))).toBe("this");
    });

    test("deleting takes what is there and minds nothing that is not", async () => {
      await using under = await opened();
      const { store } = under;
      await store.put([fact("a:1"), fact("a:2")]);
      await store.delete(["a:1", "a:9"]);
      await store.delete([]);
      expect(await store.get("a:1")).toBeNull();
      expect(textOf(await store.get("a:2"))).toBe("a:2");
    });

    test("a fact ends with its time to live; putting it again starts the time anew", async () => {
      await using under = await opened();
      const { store } = under;
      await store.put([
        fact("a:short", "x", 0.5 * hourMs),
        fact("a:long", "y", 2 * hourMs),
        fact("a:kept", "z", Number.POSITIVE_INFINITY),
      ]);
      await under.age(0.4 * hourMs);
      await store.put([fact("a:again", "w", 0.5 * hourMs)]);
      await under.age(0.4 * hourMs);
      expect(await store.get("a:short")).toBeNull();
      expect((await store.list("a:", 9)).map(({ key }) => key)).toEqual(["a:again", "a:kept", "a:long"]);
      await store.put([fact("a:short", "back")]);
      expect(textOf(await store.get("a:short"))).toBe("back");
      await under.age(10_000 * hourMs);
      expect((await store.list("a:", 9)).map(({ key }) => key)).toEqual(["a:kept"]);
    });

    test("a list has the facts of its prefix by key, page after page", async () => {
      await using under = await opened();
      const { store } = under;
      await store.put(["a:1", "a:3", "a:2", "b:1", "a", "a;", "a%1"].map((key) => fact(key)));
      const first = await store.list("a:", 2);
      expect(first.map(({ key, bytes }) => `${key}=${textOf(bytes)}`)).toEqual(["a:1=a:1", "a:2=a:2"]);
      expect((await store.list("a:", 2, "a:2")).map(({ key }) => key)).toEqual(["a:3"]);
      expect((await store.list("", 99)).length).toBe(7);
      expect(await store.list("c", 9)).toEqual([]);
    });

    test("one call stores all of its facts or none", async () => {
      await using under = await opened();
      const { store } = under;
      const tooLarge = { key: "a:2", bytes: new Uint8Array(1_048_577), ttlMs: hourMs };
      expect(await thrownBy(store.put([fact("a:1"), tooLarge]))).toMatchObject({ code: "too_large" });
      await store.put([fact("a:3")]);
      expect((await store.list("a:", 9)).map(({ key }) => key)).toEqual(["a:3"]);
    });

    test("a value of 1 MiB and a key of 200 characters are taken, a longer key is not", async () => {
      await using under = await opened();
      const { store } = under;
      const key = "k".repeat(200);
      await store.put([{ key, bytes: new Uint8Array(1_048_576).fill(7), ttlMs: hourMs }]);
      expect((await store.get(key))?.length).toBe(1_048_576);
      expect(await thrownBy(store.put([fact(`${key}x`)]))).toMatchObject({ code: "too_large" });
    });

    test("closing waits for what is in progress; afterwards calls are refused", async () => {
      await using under = await opened();
      const { store } = under;
      let done = 0;
      const puts = Array.from({ length: 100 }, (_, index) => store.put([fact(`a:${index}`)]).then(() => done++));
      await store.close();
      await Promise.all(puts);
      expect(done).toBe(100);
      expect(await thrownBy(store.put([fact("a:late")]))).toMatchObject({ code: "unavailable" });
      expect(await thrownBy(store.get("a:1"))).toMatchObject({ code: "unavailable" });
      expect(store.health().status).toBe("away");
    });

    test.skipIf(lacks.includes("reopen"))("what was put is there after a crash", async () => {
      await using under = await opened();
      await under.store.put([fact("a:1"), fact("a:2")]);
      await under.store.delete(["a:2"]);
      const reopened = await needed(under.reopen)();
      expect((await reopened.list("a:", 9)).map(({ key }) => key)).toEqual(["a:1"]);
    });

    test.skipIf(lacks.includes("away"))("while the store is away calls fail; back, the facts are there", async () => {
      await using under = await opened();
      const { store } = under;
      await store.put([fact("a:1")]);
      await needed(under.away)();
      expect(await thrownBy(store.get("a:1"))).toMatchObject({ code: "unavailable", retryable: true });
      expect(await thrownBy(store.put([fact("a:2")]))).toMatchObject({ code: "unavailable" });
      await within(20_000, "an unhealthy store", () => store.health().status === "away");
      await needed(under.back)();
      await within(20_000, "the fact", async () => textOf(await store.get("a:1").catch(() => null)) === "a:1");
      expect(store.health().status).toBe("up");
    });
  });
};
