import { expect, test } from "bun:test";
import { createGroupCommit } from "../../../runtime/sqlite/group-commit.ts";
import { thrownBy } from "../../support/thrown.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

/** A log whose writes take as long as the test lets them. */
const bench = () => {
  const clock = virtualClock();
  const batches: string[][] = [];
  const ends: PromiseWithResolvers<readonly string[]>[] = [];
  const commit = createGroupCommit<string, string>(clock, (items) => {
    batches.push([...items]);
    const end = Promise.withResolvers<readonly string[]>();
    ends.push(end);
    return end.promise;
  });
  const finish = async () => {
    const [batch, end] = [batches[batches.length - ends.length], ends.shift()];
    end?.resolve(batch?.map((item) => item.toUpperCase()) ?? []);
    await clock.advance(0);
  };
  const submit = (item: string, records = 1, bytes = 1) => commit.submit(item, records, bytes);
  return { clock, commit, batches, ends, finish, submit };
};

test("what the same turn submits is written at once and together", async () => {
  const { clock, batches, submit, finish } = bench();
  const results = Promise.all([submit("a"), submit("b")]);
  await clock.advance(0);
  expect(batches).toEqual([["a", "b"]]);
  await finish();
  expect(await results).toEqual(["A", "B"]);
});

test("a busy log waits, but not longer than 5 ms", async () => {
  const { clock, batches, submit, finish } = bench();
  void submit("a");
  await clock.advance(10);
  await finish();
  void submit("b");
  await clock.advance(0);
  expect(batches.length).toBe(2); // the last one began 10 ms ago
  void submit("c");
  await clock.advance(4);
  void submit("d");
  await clock.advance(0.5);
  expect(batches.length).toBe(2);
  await clock.advance(1);
  expect(batches.at(-1)).toEqual(["c", "d"]);
});

test("a log with a fast disk waits four commits at most", async () => {
  const { clock, batches, submit, finish } = bench();
  void submit("a");
  await clock.advance(0.5);
  await finish();
  void submit("b");
  await clock.advance(1.4);
  expect(batches.length).toBe(1);
  await clock.advance(0.2);
  expect(batches.length).toBe(2);
});

test("a hundred records are enough, or four hundred while others are written", async () => {
  const { clock, batches, submit, finish } = bench();
  void submit("a");
  await clock.advance(2);
  await finish();
  void submit("b", 60);
  await clock.advance(0);
  expect(batches.length).toBe(1);
  void submit("c", 40);
  expect(batches.at(-1)).toEqual(["b", "c"]);
  void submit("d", 399);
  await clock.advance(0);
  expect(batches.length).toBe(2);
  void submit("e");
  expect(batches.at(-1)).toEqual(["d", "e"]);
});

test("two batches are on their way at most, and one batch is not boundless", async () => {
  const { clock, batches, submit, finish } = bench();
  for (const item of ["a", "b", "c", "d", "e"]) {
    void submit(item, 600);
    await clock.advance(0);
  }
  expect(batches).toEqual([["a"], ["b"]]);
  await finish();
  expect(batches).toEqual([["a"], ["b"], ["c"]]);
  await finish();
  await finish();
  await clock.advance(10);
  expect(batches).toEqual([["a"], ["b"], ["c"], ["d"], ["e"]]);
});

test("a failed batch fails what is in it, and the next goes on", async () => {
  const { clock, batches, submit, ends, finish } = bench();
  const failed = thrownBy(submit("a"));
  await clock.advance(0);
  ends.shift()?.reject(new Error("disk"));
  expect(await failed).toMatchObject({ message: "disk" });
  const next = submit("b");
  await clock.advance(10);
  await finish();
  expect(await next).toBe("B");
  expect(batches).toEqual([["a"], ["b"]]);
});

test("what waits is bounded", async () => {
  const { clock, submit } = bench();
  for (const item of ["a", "b"]) {
    void submit(item, 100, 40 * 1_048_576);
    await clock.advance(0);
  }
  expect(await thrownBy(submit("c", 100, 40 * 1_048_576))).toMatchObject({ code: "unavailable" });
});

test("drained resolves when all is written, and flush does not wait", async () => {
  const { clock, commit, submit, finish, batches } = bench();
  await commit.drained();
  void submit("a");
  await clock.advance(0);
  void submit("b");
  commit.flush();
  expect(batches).toEqual([["a"], ["b"]]);
  let drained = false;
  void commit.drained().then(() => {
    drained = true;
  });
  await finish();
  expect([drained, commit.isQuiet()]).toEqual([false, false]);
  await finish();
  expect([drained, commit.isQuiet()]).toEqual([true, true]);
});
