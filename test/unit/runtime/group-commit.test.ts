import { expect, test } from "bun:test";
import { createGroupCommit } from "../../../runtime/sqlite/group-commit.ts";
import { thrownBy } from "../../support/thrown.ts";
import { settlePromises } from "../../support/virtual-clock.ts";

/** A log whose writes take as long as the test lets them, and whose loop turns when the test says so. */
const bench = () => {
  const deferred: (() => void)[] = [];
  const batches: string[][] = [];
  const ends: PromiseWithResolvers<readonly string[]>[] = [];
  const commit = createGroupCommit<string, string>(
    (items) => {
      batches.push([...items]);
      const end = Promise.withResolvers<readonly string[]>();
      ends.push(end);
      return end.promise;
    },
    (run) => deferred.push(run),
  );
  const turn = async () => {
    for (const run of deferred.splice(0)) run();
    await settlePromises();
  };
  const finish = async () => {
    const [batch, end] = [batches[batches.length - ends.length], ends.shift()];
    end?.resolve(batch?.map((item) => item.toUpperCase()) ?? []);
    await settlePromises();
    await turn();
  };
  const submit = (item: string, records = 1, bytes = 1) => commit.submit(item, records, bytes);
  return { commit, batches, ends, finish, submit, turn };
};

test("what the same turn submits is written at once and together", async () => {
  const { batches, submit, finish, turn } = bench();
  const results = Promise.all([submit("a"), submit("b")]);
  await turn();
  expect(batches).toEqual([["a", "b"]]);
  await finish();
  expect(await results).toEqual(["A", "B"]);
});

test("what is submitted while a batch is written goes together, when it has been", async () => {
  const { batches, submit, finish, turn } = bench();
  void submit("a");
  await turn();
  for (const item of ["b", "c"]) {
    void submit(item);
    await turn();
  }
  expect(batches).toEqual([["a"]]);
  await finish();
  expect(batches).toEqual([["a"], ["b", "c"]]);
});

test("who submits again when a record is durable goes along with those who waited", async () => {
  const { batches, submit, finish, turn } = bench();
  const again = submit("a").then(() => submit("c"));
  await turn();
  void submit("b");
  await finish();
  expect(batches).toEqual([["a"], ["b", "c"]]);
  await finish();
  expect(await again).toBe("C");
});

test.each([
  ["four hundred records", [399, 1], [1, 1]],
  ["records of a mebibyte", [1, 1], [1_048_575, 1]],
])("%s do not wait for what is written", async (_says, records, bytes) => {
  const { batches, submit, turn } = bench();
  void submit("a");
  await turn();
  void submit("b", records[0], bytes[0]);
  await turn();
  expect(batches).toEqual([["a"]]);
  void submit("c", records[1], bytes[1]);
  await turn();
  expect(batches).toEqual([["a"], ["b", "c"]]);
});

test("two batches are on their way at most, and one batch is not boundless", async () => {
  const { batches, submit, finish, turn } = bench();
  for (const item of ["a", "b", "c", "d", "e"]) {
    void submit(item, 600);
    await turn();
  }
  expect(batches).toEqual([["a"], ["b"]]);
  await finish();
  expect(batches).toEqual([["a"], ["b"], ["c"]]);
  await finish();
  await finish();
  await turn();
  expect(batches).toEqual([["a"], ["b"], ["c"], ["d"], ["e"]]);
});

test("a failed batch fails what is in it, and the next goes on", async () => {
  const { batches, submit, ends, finish, turn } = bench();
  const failed = thrownBy(submit("a"));
  await turn();
  ends.shift()?.reject(new Error("disk"));
  expect(await failed).toMatchObject({ message: "disk" });
  const next = submit("b");
  await turn();
  await finish();
  expect(await next).toBe("B");
  expect(batches).toEqual([["a"], ["b"]]);
});

test("what waits is bounded", async () => {
  const { submit, turn } = bench();
  for (const item of ["a", "b", "c"]) {
    void submit(item, 100, 40 * 1_048_576);
    await turn();
  }
  expect(await thrownBy(submit("d", 100, 40 * 1_048_576))).toMatchObject({ code: "unavailable" });
});

test("drained resolves when all is written, and flush does not wait", async () => {
  const { commit, submit, finish, batches, turn } = bench();
  await commit.drained();
  void submit("a");
  await turn();
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
