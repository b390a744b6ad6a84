import { describe, expect, test } from "bun:test";
import { factsOf } from "../../../../actors/aggregator/open-incidents.ts";
import { verifyBundle } from "../../../../edge/bundle/verify.ts";
import type { Incident } from "../../../../protocols/incident.ts";
import { systemClock } from "../../../../runtime/clock.ts";
import { createMemoryStore } from "../../../../runtime/store-memory.ts";
import { aVerdict } from "../../../support/build.ts";
import { askedEdge } from "../../../support/edge-app.ts";

const beganMs = 1_700_000_000_000;
const idOf = (index: number): string => index.toString(16).padStart(32, "0");
const anIncident = (index: number, fields: Partial<Incident> = {}): Incident => ({
  type: "incident",
  id: idOf(index),
  revision: 1,
  phase: "new",
  cameraId: 1,
  groupKey: "g1",
  hazard: "near-miss",
  level: "high",
  openedAt: beganMs + index * 1_000,
  updatedAt: beganMs + index * 1_000,
  messageIds: ["m1"],
  verdicts: [aVerdict()],
  evidenceIds: [],
  ...fields,
});

const tokens = [
  { name: "eye", role: "viewer" as const, token: "eye-token" },
  { name: "gate", role: "operator" as const, cameras: [7], token: "gate-token" },
];
const setUp = async (incidents: readonly Incident[], options: Parameters<typeof askedEdge>[0] = {}) => {
  const store = createMemoryStore({ clock: systemClock });
  for (const incident of incidents) await store.put(factsOf(incident));
  const edge = await askedEdge({ store, ...options });
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const answer = await edge.app.request(path, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
    return { status: answer.status, json: (await answer.json()) as { code?: string; ack?: object } };
  };
  return { ...edge, store, post };
};
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const idsIn = ({ items }: { items: { id: string }[] }): number[] => items.map(({ id }) => Number.parseInt(id, 16));

test("without any there is an empty list, and none has an id", async () => {
  const { ask } = await setUp([]);
  expect((await ask("/api/incidents")).json).toEqual({ items: [] });
  expect((await ask(`/api/incidents/${idOf(1)}`)).status).toBe(404);
  expect((await ask("/api/incidents/1")).status).toBe(400);
});

test("one is told as it stands", async () => {
  const incident = anIncident(1, { phase: "end", endedAt: beganMs + 5_000 });
  const { ask } = await setUp([incident]);
  const { type: _, ...shown } = incident;
  expect((await ask(`/api/incidents/${incident.id}`)).json).toEqual(shown);
  expect((await ask("/api/incidents")).json).toEqual({ items: [shown] });
});

test.each([
  ["", [4, 3, 2, 1]],
  ["?level=high", [4, 1]],
  ["?level=medium", [4, 3, 1]],
  ["?cameraId=7", [3, 2]],
  [`?since=${beganMs + 3_000}`, [4, 3]],
  [`?since=${encodeURIComponent(new Date(beganMs + 4_000).toISOString())}`, [4]],
  ["?cameraId=7&level=medium", [3]],
])("the list%s stands newest first", async (query, expected) => {
  const { ask } = await setUp([
    anIncident(1),
    anIncident(2, { cameraId: 7, level: "low" }),
    anIncident(3, { cameraId: 7, level: "medium" }),
    anIncident(4),
  ]);
  expect(idsIn((await ask(`/api/incidents${query}`)).json)).toEqual(expected);
});

test("page after page tells each once, whatever is filtered out", async () => {
  const { ask } = await setUp(Array.from({ length: 450 }, (_, index) => anIncident(index, { cameraId: index % 2 })));
  const told: number[] = [];
  for (let after = ""; ; ) {
    const { json } = await ask(`/api/incidents?cameraId=1&limit=60${after}`);
    told.push(...idsIn(json));
    if (json.next === undefined) break;
    after = `&after=${json.next}`;
  }
  expect(told).toEqual(Array.from({ length: 225 }, (_, index) => 449 - 2 * index));
});

describe("what people say", () => {
  test("stands with the incident, and viewers are told", async () => {
    const { ask, post, bus } = await setUp([anIncident(1)], { tokens });
    const said = await post(`/api/incidents/${idOf(1)}/ack`, { label: false, note: "a shadow" }, bearer("gate-token"));
    expect(said.status).toBe(404); // of camera 1, which this token may not see
    const { store: _, ...open } = await setUp([anIncident(1)]);
    const answer = await open.post(`/api/incidents/${idOf(1)}/ack`, { label: false, note: "a shadow" });
    expect([answer.status, answer.json.ack]).toMatchObject([200, { label: false, note: "a shadow" }]);
    expect((await open.ask(`/api/incidents/${idOf(1)}`)).json.ack).toEqual(answer.json.ack);
    expect((await open.ask("/api/incidents")).json.items[0].ack).toEqual(answer.json.ack);
    expect(open.bus.records("incidents").map(({ type, key }) => [type, key])).toEqual([["incident", "1"]]);
    expect(bus.records("incidents")).toEqual([]);
    expect((await ask("/api/incidents", bearer("eye-token"))).status).toBe(200);
  });

  test("a viewer may look only", async () => {
    const { post } = await setUp([anIncident(1)], { tokens });
    const { status, json } = await post(`/api/incidents/${idOf(1)}/ack`, { label: true }, bearer("eye-token"));
    expect([status, json.code]).toEqual([403, "forbidden"]);
  });

  test.each([[{}], [{ label: "yes" }], [{ label: true, note: "x".repeat(501) }]])("%j is refused", async (body) => {
    const { post } = await setUp([anIncident(1)]);
    expect((await post(`/api/incidents/${idOf(1)}/ack`, body)).status).toBe(400);
  });
});

test("who may see only some cameras is told of theirs, one by one and together", async () => {
  const { ask } = await setUp([anIncident(1), anIncident(2, { cameraId: 7 })], { tokens });
  const headers = bearer("gate-token");
  expect(idsIn((await ask("/api/incidents", headers)).json)).toEqual([2]);
  expect((await ask(`/api/incidents/${idOf(1)}`, headers)).status).toBe(404);
  expect((await ask(`/api/incidents/${idOf(2)}`, headers)).status).toBe(200);
  expect((await ask("/api/incidents?cameraId=1", headers)).status).toBe(404);
});

describe("pictures", () => {
  const id = `7-${"ab".repeat(32)}`;
  const jpeg = new Uint8Array([0xff, 0xd8, 0xff]);
  const evidence = { read: async (asked: string) => (asked === id ? jpeg : null) };

  test("one is told with a name of its content, and not again to who has it", async () => {
    const { app } = await setUp([], { evidence });
    const answer = await app.request(`/api/evidence/${id}`);
    expect([answer.status, answer.headers.get("content-type"), new Uint8Array(await answer.arrayBuffer())]).toEqual([
      200,
      "image/jpeg",
      jpeg,
    ]);
    const etag = answer.headers.get("etag") ?? "";
    for (const header of [etag, `"x", ${etag}`, `W/${etag}`])
      expect((await app.request(`/api/evidence/${id}`, { headers: { "if-none-match": header } })).status).toBe(304);
    expect((await app.request(`/api/evidence/${id}`, { headers: { "if-none-match": '"x"' } })).status).toBe(200);
  });

  test("one that is not there, or of a camera that may not be seen, is not found", async () => {
    const { ask } = await setUp([], { evidence, tokens: [{ name: "g", role: "viewer", cameras: [8], token: "t" }] });
    expect((await ask(`/api/evidence/${id}`, bearer("t"))).status).toBe(404);
    expect((await ask(`/api/evidence/8-${"cd".repeat(32)}`, bearer("t"))).status).toBe(404);
  });

  test.each(["7-xyz", `7-${"ab".repeat(31)}`, "7-..%2F..%2Fetc%2Fpasswd", `-${"ab".repeat(32)}`])(
    "%s is refused",
    async (wrong) => {
      const { ask } = await setUp([], { evidence });
      expect((await ask(`/api/evidence/${wrong}`)).status).toBe(400);
    },
  );
});

test("its archive is one that verifies, for those who may see its camera", async () => {
  const incident = anIncident(1, { cameraId: 7 });
  const { app } = await setUp([incident, anIncident(2)], { tokens });
  const get = (index: number, token: string) => app.request(`/api/incidents/${idOf(index)}/bundle`, { headers: bearer(token) });
  const answer = await get(1, "gate-token");
  expect([answer.status, answer.headers.get("content-type"), answer.headers.get("content-disposition")]).toEqual([
    200,
    "application/zip",
    `attachment; filename="incident-${incident.id}.zip"`,
  ]);
  expect(verifyBundle(new Uint8Array(await answer.arrayBuffer()))).toMatchObject({ problems: [], incident: { id: incident.id } });
  expect((await get(2, "gate-token")).status).toBe(404);
  expect((await get(3, "eye-token")).status).toBe(404);
});
