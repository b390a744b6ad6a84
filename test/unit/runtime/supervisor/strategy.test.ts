/** Which children follow a failure, in which order, and what is told of it. */
import { expect, test } from "bun:test";
import { actor, addressOf } from "../../../../runtime/actor.ts";
import { type ChildSpec, type Restart, type Strategy, stage, supervisor } from "../../../../runtime/tree.ts";
import { aSystem, tolerant } from "../../../support/system.ts";

type End = { readonly type: "end" };
const strict = { restarts: 1, withinMs: 60_000, backoffMs: [1, 1] } as const;

const writingDown = (seen: string[]) => {
  const child = (name: string, restart: Restart = "permanent") =>
    stage(
      actor<undefined, string, End>({
        name,
        mailbox: { capacity: 8, overflow: "drop-newest" },
        start: () => {
          seen.push(`+${name}`);
          return name;
        },
        on: {
          end: (state, _message, { end }) => {
            end();
            return state;
          },
        },
        release: () => void seen.push(`-${name}`),
      }),
      { args: undefined, restart },
    );
  const group = (name: string, strategy: Strategy, children: readonly ChildSpec[], restart: Restart = "permanent") =>
    supervisor(name, strategy, strict, children, restart);
  return { child, group };
};

test.each<[Strategy, string[]]>([
  ["one_for_one", ["-b", "+b"]],
  ["rest_for_one", ["-c", "-b", "+b", "+c"]],
  ["one_for_all", ["-c", "-b", "-a", "+a", "+b", "+c"]],
])("%s ends those affected in reverse order and starts them in order", async (strategy, expected) => {
  const seen: string[] = [];
  const { child, group } = writingDown(seen);
  await using it = await aSystem([group("s", strategy, [child("a"), child("b"), child("c")])]);
  seen.length = 0;
  it.system.fail("root/s/b", "drill");
  await it.clock.advance(1_000);
  expect(seen).toEqual(expected);
});

test("a failure within a child's own tree is that child's, and no sibling's whose name begins alike", async () => {
  const seen: string[] = [];
  const { child, group } = writingDown(seen);
  await using it = await aSystem([
    group("s", "rest_for_one", [child("lane"), group("lane-7", "one_for_one", [child("x"), child("y")])]),
  ]);
  seen.length = 0;
  for (let time = 0; time < 2; time++) {
    it.system.fail("root/s/lane-7/x", "drill");
    await it.clock.advance(1_000);
  }
  expect(seen).toEqual(["-x", "+x", "-y", "-x", "+x", "+y"]);
  expect(it.decisions).toEqual(["restarted root/s/lane-7/x 1", "escalated root/s/lane-7: drill", "restarted root/s/lane-7 1"]);
  const [s] = it.system.snapshot().children;
  expect(s?.children).toMatchObject([
    { name: "lane", restarts: 0 },
    { name: "lane-7", restarts: 1, state: "running", lastError: "too many failures: drill" },
  ]);
  expect(s).toMatchObject({ lastError: "too many failures: drill", restarts: 0, state: "running" });
});

test("a supervisor that is restarted has its tolerance back, and counts its restarts; one that never was has no error", async () => {
  const { child, group } = writingDown([]);
  await using it = await aSystem([group("s", "one_for_one", [child("a")]), group("t", "one_for_one", [child("b")])]);
  const left = () => it.system.snapshot().children[0]?.children[0]?.restartsLeft;
  expect(left()).toBe(1);
  it.system.fail("root/s/a", "drill");
  await it.clock.advance(1_000);
  expect(left()).toBe(0);
  it.system.fail("root/s/a", "drill");
  await it.clock.advance(1_000);
  expect(left()).toBe(1);
  expect(it.decisions.filter((line) => line.startsWith("restarted"))).toEqual(["restarted root/s/a 1", "restarted root/s 1"]);
  const [, t] = it.system.snapshot().children;
  expect(t).toMatchObject({ restarts: 0 });
  expect(t).not.toHaveProperty("lastError");
});

test("restarts of one child are counted, each told of", async () => {
  const { child } = writingDown([]);
  await using it = await aSystem([supervisor("s", "one_for_one", tolerant, [child("a"), child("b")])]);
  for (const name of ["a", "a", "b"]) {
    it.system.fail(`root/s/${name}`, "drill");
    await it.clock.advance(2_000);
  }
  expect(it.decisions).toEqual(["restarted root/s/a 1", "restarted root/s/a 2", "restarted root/s/b 1"]);
});

test("temporary children of a supervisor that is restarted are over, those that ended before stay so", async () => {
  const seen: string[] = [];
  const { child, group } = writingDown(seen);
  await using it = await aSystem([
    group("s", "one_for_one", [child("kept"), child("guest", "temporary"), child("over", "transient")]),
  ]);
  it.system.tell(addressOf<End>("root/s/over"), { type: "end" });
  await it.clock.advance(100);
  seen.length = 0;
  for (let time = 0; time < 2; time++) {
    it.system.fail("root/s/kept", "drill");
    await it.clock.advance(1_000);
  }
  expect(seen).toEqual(["-kept", "+kept", "-guest", "-kept", "+kept"]);
  expect(it.decisions.filter((line) => line.startsWith("ended"))).toEqual([
    "ended root/s/over: ended by itself",
    "ended root/s/guest: too many failures: drill",
  ]);
  expect(it.system.snapshot().children[0]?.lastError).toBe("too many failures: drill");
});

test("an orderly end is no error", async () => {
  const { child, group } = writingDown([]);
  await using it = await aSystem([group("s", "one_for_one", [child("a", "transient")])]);
  it.system.tell(addressOf<End>("root/s/a"), { type: "end" });
  await it.clock.advance(100);
  const [s] = it.system.snapshot().children;
  expect([s?.lastError, s?.children[0]?.lastError]).toEqual([undefined, undefined]);
  expect(s?.children[0]).toMatchObject({ state: "stopped", children: [] });
});

test("while a restart waits the stage is restarting; at the end its pause is over", async () => {
  const seen: string[] = [];
  const { child } = writingDown(seen);
  const slow = { restarts: 5, withinMs: 60_000, backoffMs: [60_000, 60_000] } as const;
  const it = await aSystem([supervisor("s", "one_for_one", slow, [child("a"), child("b")])]);
  it.system.fail("root/s/a", "drill");
  await it.clock.advance(1_000);
  expect(it.system.snapshot().children[0]?.children[0]?.state).toBe("restarting");
  await it[Symbol.asyncDispose]();
  await it.clock.advance(120_000);
  expect(seen).toEqual(["+a", "+b", "-a", "+a", "-b", "-a"]);
  expect(it.system.snapshot().children).toMatchObject([
    { state: "stopped", children: [{ state: "stopped" }, { state: "stopped" }] },
  ]);
  expect(it.clock.timers()).toBe(0);
});
