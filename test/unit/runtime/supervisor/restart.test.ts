/** What follows when a child ends: by itself or by a failure, permanent, transient or temporary. */
import { expect, test } from "bun:test";
import { actor, addressOf } from "../../../../runtime/actor.ts";
import { dynamic, type Restart, stage, supervisor } from "../../../../runtime/tree.ts";
import { aSystem, tolerant } from "../../../support/system.ts";

type Order = { readonly type: "order"; readonly what: "end" | "fail" | "none"; readonly cameraId?: number };

const obeying = (name: string, started: string[] = []) =>
  actor<undefined, null, Order>({
    name,
    mailbox: { capacity: 8, overflow: "drop-newest" },
    start: () => {
      started.push(name);
      return null;
    },
    on: {
      order: (state, { what }, { end }) => {
        if (what === "fail") throw new Error("as asked");
        if (what === "end") end();
        return state;
      },
    },
  });
const at = addressOf<Order>("root/a");
const order = (what: Order["what"]): Order => ({ type: "order", what });

test.each([
  ["permanent", "fail", "running"],
  ["permanent", "end", "running"],
  ["transient", "fail", "running"],
  ["transient", "end", "stopped"],
  ["temporary", "fail", "stopped"],
  ["temporary", "end", "stopped"],
] as const)("a %s child that does %s is %s afterwards", async (restart, what, state) => {
  const started: string[] = [];
  await using it = await aSystem([stage(obeying("a", started), { args: undefined, restart })]);
  it.system.tell(at, order(what));
  await it.clock.advance(5_000);
  expect(it.system.snapshot().children[0]).toMatchObject({ state, restarts: state === "running" ? 1 : 0 });
  expect(started.length).toBe(state === "running" ? 2 : 1);
  it.system.tell(at, order("none"));
  await it.settle();
  expect(it.dropped).toEqual(state === "running" ? {} : { "root/a order dead_letter": 1 });
});

test("a turn that asks for its end and throws has failed, and did not end", async () => {
  const both = actor<undefined, null, Order>({
    name: "a",
    mailbox: { capacity: 8, overflow: "drop-newest" },
    start: () => null,
    on: {
      order: (_state, _message, { end }) => {
        end();
        throw new Error("as asked");
      },
    },
  });
  await using it = await aSystem([stage(both, { args: undefined, restart: "transient" })]);
  it.system.tell(at, order("end"));
  await it.clock.advance(5_000);
  expect(it.system.snapshot().children[0]).toMatchObject({ state: "running", restarts: 1 });
});

test("what waited for a child that is over becomes dead letters", async () => {
  await using it = await aSystem([stage(obeying("a"), { args: undefined, restart: "temporary" })]);
  for (const what of ["end", "none", "none"] as const) it.system.tell(at, order(what));
  await it.clock.advance(100);
  expect(it.dropped).toEqual({ "root/a order dead_letter": 2 });
});

test("a temporary child is not started again with its siblings, and its failures count against nobody", async () => {
  const started: string[] = [];
  const child = (name: string, restart: Restart) => stage(obeying(name, started), { args: undefined, restart });
  await using it = await aSystem([
    supervisor("s", "one_for_all", { restarts: 1, withinMs: 60_000, backoffMs: [1, 1] }, [
      child("kept", "permanent"),
      child("guest", "temporary"),
      child("over", "transient"),
    ]),
  ]);
  started.length = 0;
  it.system.tell(addressOf<Order>("root/s/over"), order("end"));
  await it.clock.advance(100);
  it.system.fail("root/s/kept", "drill");
  await it.clock.advance(1_000);
  expect(started).toEqual(["kept"]);
  const [group] = it.system.snapshot().children;
  expect(group?.children.map(({ name, state }) => `${name} ${state}`)).toEqual(["kept running", "guest stopped", "over stopped"]);
  expect(group).toMatchObject({ state: "running", restarts: 0 });
});

test("a child of a keyed stage that ended by itself is made anew by the next message for its key", async () => {
  const started: string[] = [];
  const lanes = dynamic(
    "lanes",
    tolerant,
    (key) => stage(obeying(`lane-${key}`, started), { args: undefined, restart: "transient" }),
    { onDemand: { entry: null, idleMs: 60_000 } },
  );
  await using it = await aSystem([lanes]);
  const lane = addressOf<Order>("root/lanes");
  it.system.tell(lane, { ...order("end"), cameraId: 1 });
  await it.clock.advance(100);
  expect(it.system.stages()).toEqual([]);
  it.system.tell(lane, { ...order("none"), cameraId: 1 });
  await it.clock.advance(100);
  expect(started).toEqual(["lane-1", "lane-1"]);
  expect(it.dropped).toEqual({});
});

test("a keyed stage takes no more children than it may have", async () => {
  const few = dynamic("few", tolerant, (key) => stage(obeying(`c-${key}`), { args: undefined }), {
    onDemand: { entry: null, idleMs: 60_000 },
    childrenMax: 2,
  });
  await using it = await aSystem([few]);
  for (const cameraId of [1, 2, 3]) it.system.tell(addressOf<Order>("root/few"), { ...order("none"), cameraId });
  await it.settle();
  expect(it.system.stages().length).toBe(2);
  expect(it.dropped).toEqual({ "root/few order dead_letter": 1 });
});
