import { describe, expect, test } from "bun:test";
import type { Role } from "../../../actors/pipeline.ts";
import type { Accounts } from "../../../actors/scheduler/accounts.ts";
import type { QuotaGroup } from "../../../actors/scheduler/group.ts";
import { createQuotaBoard } from "../../../edge/quota.ts";
import { createApp } from "../../../edge/server.ts";
import { createMetrics } from "../../../runtime/metrics.ts";
import type { Store } from "../../../runtime/store.ts";
import { createMemoryStore } from "../../../runtime/store-memory.ts";
import { accountsOf, aQuotaGroup } from "../../support/accounts.ts";
import { type EdgeOptions, fakeEdge } from "../../support/edge.ts";
import { type VirtualClock, virtualClock } from "../../support/virtual-clock.ts";

const secret = "sk-0123456789abcd";
const main = (overrides: Partial<QuotaGroup> = {}) =>
  aQuotaGroup("main", {
    price: { input: 1, output: 2 },
    limits: { rpm: 60 },
    keys: [{ id: "k1", secret, priority: 1 }],
    ...overrides,
  });

const setUp = async (options: EdgeOptions = {}, read: () => readonly QuotaGroup[] = () => [main()]) => {
  const clock = virtualClock();
  const accounts = accountsOf([main()], clock, {
    budget: { currency: "EUR", day: { softCost: 1, hardCost: 2 }, cameraDay: {} },
  });
  const edge = await fakeEdge({ llm: { accounts, keys: { changed: () => null, read } }, ...options });
  const app = createApp(edge);
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await app.request(path, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, text, json: JSON.parse(text) };
  };
  return { ...edge, accounts, clock, ask };
};

const spend = ({ ledger, demand }: Accounts, cameraId: number, wallMs: number) => {
  const usage = { promptTokens: 900, completionTokens: 100 };
  ledger.enter({ group: "main", keyId: "k1", cameraId, price: { input: 1, output: 2 }, usage, answered: true }, wallMs);
  demand.task(cameraId, 0);
  demand.call(1_000, 0.0011, 2_000, 0);
};

describe("GET /api/quota", () => {
  test("shows groups, masked keys, spending, calls avoided and a forecast", async () => {
    const { ask, accounts, clock, metrics } = await setUp();
    for (const cameraId of [1, 1, 2]) spend(accounts, cameraId, clock.nowMs());
    accounts.quota.take(0, null, 1_000);
    metrics.callsAvoided.inc({ reason: "deadline" }, 3);
    metrics.groupsWithoutTask.inc({ reason: "cooldown" }, 5);
    const { status, json, text } = await ask("GET", "/api/quota");
    expect(status).toBe(200);
    expect(json).toMatchObject({
      groups: [
        {
          name: "main",
          state: "open",
          inFlight: 1,
          limits: { rpm: 60 },
          used: { rpm: 1 },
          today: { calls: 3, promptTokens: 2_700 },
          keys: [{ id: "k1", masked: "…abcd", state: "in_use", today: { calls: 3 } }],
        },
      ],
      spend: {
        day: "2023-11-14",
        currency: "EUR",
        state: "within",
        caps: { day: { softCost: 1, hardCost: 2 } },
        cameras: [
          { cameraId: 1, calls: 2 },
          { cameraId: 2, calls: 1 },
        ],
      },
      avoided: [
        { stage: "task-generator", reason: "cooldown", count: 5 },
        { stage: "scheduler", reason: "deadline", count: 3 },
      ],
      forecast: { cameras: 2, callsPerMinute: 60, camerasByQuota: 40 },
    });
    expect(json.spend.today.cost).toBeCloseTo(0.0033, 8);
    expect(text).not.toContain(secret.slice(0, 10));
  });
  test("shows a viewer of some cameras only what those cost", async () => {
    const tokens = [{ name: "one", token: "t-1", role: "viewer" as const, cameras: [2] }];
    const { ask, accounts, clock } = await setUp({ tokens });
    for (const cameraId of [1, 2]) spend(accounts, cameraId, clock.nowMs());
    const { json } = await ask("GET", "/api/quota", undefined, { authorization: "Bearer t-1" });
    expect(json.spend.cameras.map(({ cameraId }: { cameraId: number }) => cameraId)).toEqual([2]);
  });
  test("in one process of several says what it knows, and of whom nothing; keys are not changed there", async () => {
    const { ask, metrics } = await setUp({ llm: null });
    metrics.groupsWithoutTask.inc({ reason: "cooldown" }, 5);
    const { status, json } = await ask("GET", "/api/quota");
    expect([status, json.groups, json.missing]).toEqual([200, [], ["scheduler"]]);
    expect(json.avoided).toEqual([{ stage: "task-generator", reason: "cooldown", count: 5 }]);
    const off = await ask("PATCH", "/api/quota/groups/main/keys/k1", { enabled: false });
    expect([off.status, off.json.code, off.json.detail]).toEqual([503, "unavailable", expect.stringContaining("key file")]);
  });
});

describe("roles in several processes on one store", () => {
  const aProcess = (store: Store, clock: VirtualClock, owner: string, ...roles: Role[]) => {
    const metrics = createMetrics();
    const accounts = accountsOf([main({ limits: { rpm: 60 } })], clock, { owner });
    const board = createQuotaBoard({ roles: new Set(roles), accounts, metrics, store, clock, owner });
    const stop = board.tell();
    return { metrics, accounts, board, stop, keep: () => store.put(accounts.booked()) };
  };
  const eachTold = (clock: VirtualClock) => clock.advance(6_000);
  /** The store takes its time. */
  const settled = async <T>(clock: VirtualClock, work: Promise<T>): Promise<T> => {
    await clock.advance(200);
    return work;
  };

  test("each is told of by the edge, whoever counts it; figures add up, of states the worst is shown", async () => {
    const clock = virtualClock();
    const store = createMemoryStore({ clock });
    const generator = aProcess(store, clock, "g", "task-generator");
    const [one, two] = [aProcess(store, clock, "s1", "scheduler"), aProcess(store, clock, "s2", "scheduler")];
    const edge = aProcess(store, clock, "e", "edge");
    generator.metrics.groupsWithoutTask.inc({ reason: "cooldown" }, 5);
    generator.metrics.callsAvoided.inc({ reason: "not its business" });
    for (const { metrics } of [one, two]) metrics.callsAvoided.inc({ reason: "deadline" }, 2);
    for (const [{ accounts }, cameraId] of [
      [one, 1],
      [two, 2],
    ] as const)
      spend(accounts, cameraId, clock.nowMs());
    for (const { accounts } of [one, one, two]) accounts.quota.take(0, null, 1_000);
    two.accounts.disable("main", "k1", "HTTP 401");
    for (const { keep } of [one, two]) await settled(clock, keep());
    await eachTold(clock);
    const whole = await settled(clock, edge.board.read());
    expect(whole.avoided).toEqual([
      { stage: "task-generator", reason: "cooldown", count: 5 },
      { stage: "scheduler", reason: "deadline", count: 4 },
    ]);
    expect(whole.missing).toEqual([]);
    expect(whole.groups).toMatchObject([{ name: "main", inFlight: 3, limits: { rpm: 60 }, used: { rpm: 3 } }]);
    expect(whole.groups[0]?.keys).toMatchObject([
      { id: "k1", masked: "…abcd", state: "disabled", disabledBecause: "HTTP 401", calls: 3, inFlight: 3 },
    ]);
    expect(whole.spending.book.total.calls).toBe(2);
    // By what the worse of the two may call.
    expect(whole.forecast).toMatchObject({ cameras: 2, callsPerMinute: 0, tasksPerCamera: 1 });
    for (const { bytes } of await settled(clock, store.list("quota-part:", 10)))
      expect(new TextDecoder().decode(bytes)).not.toContain(secret.slice(0, 10));
  });

  test("one that ended, or that tells what is not understood, is missing; a store that fails leaves what is known here", async () => {
    const clock = virtualClock();
    const store = createMemoryStore({ clock });
    const scheduler = aProcess(store, clock, "s", "scheduler");
    const generator = aProcess(store, clock, "g", "task-generator");
    const edge = aProcess(store, clock, "e", "edge");
    await eachTold(clock);
    expect((await settled(clock, edge.board.read())).missing).toEqual([]);
    generator.stop();
    await clock.advance(20_000);
    expect((await settled(clock, edge.board.read())).missing).toEqual(["task-generator"]);
    scheduler.stop();
    const strange = new TextEncoder().encode('{"roles":["scheduler"]}');
    await settled(clock, store.put([{ key: "quota-part:s", bytes: strange, ttlMs: 60_000 }]));
    expect((await settled(clock, edge.board.read())).missing).toEqual(["task-generator", "scheduler"]);
    const away = { ...store, list: () => Promise.reject(new Error("away")) };
    const alone = aProcess(away, clock, "a", "edge", "scheduler");
    expect(await settled(clock, alone.board.read())).toMatchObject({ groups: [{ name: "main" }], missing: ["task-generator"] });
  });
});

describe("keys at run time", () => {
  test("one is switched off and on again", async () => {
    const { ask, accounts } = await setUp();
    const off = await ask("PATCH", "/api/quota/groups/main/keys/k1", { enabled: false });
    expect([off.status, off.json, accounts.quota.take(0, null)]).toEqual([
      200,
      { changes: [{ group: "main", keyId: "k1", what: "key disabled" }] },
      null,
    ]);
    await ask("PATCH", "/api/quota/groups/main/keys/k1", { enabled: true });
    expect(accounts.quota.take(0, null)?.keyId).toBe("k1");
  });
  test("of another name are not found", async () => {
    const { ask } = await setUp();
    expect((await ask("PATCH", "/api/quota/groups/main/keys/k9", { enabled: false })).status).toBe(404);
    expect((await ask("PATCH", "/api/quota/groups/none/keys/k1", { enabled: true })).status).toBe(404);
  });
  test("are for operators alone", async () => {
    const { ask } = await setUp({ tokens: [{ name: "look", token: "t-2", role: "viewer" }] });
    const headers = { authorization: "Bearer t-2" };
    expect((await ask("PATCH", "/api/quota/groups/main/keys/k1", { enabled: false }, headers)).status).toBe(403);
    expect((await ask("POST", "/api/quota/reload", undefined, headers)).status).toBe(403);
  });
  test("are read again from the configuration", async () => {
    const more = () => [
      main({
        keys: [
          { id: "k1", secret, priority: 1 },
          { id: "k2", secret: "sk-other", priority: 1 },
        ],
      }),
    ];
    const { ask, accounts } = await setUp({}, more);
    const { json } = await ask("POST", "/api/quota/reload");
    expect(json).toEqual({ changes: [{ group: "main", keyId: "k2", what: "key added" }] });
    expect(accounts.view().groups[0]?.keys.map(({ id }) => id)).toEqual(["k1", "k2"]);
  });
  test("stay as they are when the configuration does not read", async () => {
    const { ask, accounts } = await setUp({}, () => {
      throw new Error("api_keys.yaml:3: not YAML");
    });
    const { status, json } = await ask("POST", "/api/quota/reload");
    expect([status, json.detail]).toEqual([
      400,
      "the configuration does not read; the keys in use stay: api_keys.yaml:3: not YAML",
    ]);
    expect(accounts.hasKeys()).toBe(true);
  });
});
