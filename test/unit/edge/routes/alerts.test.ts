import { expect, test } from "bun:test";
import { AlertNotification, alertNotifications } from "../../../../protocols/alert.ts";
import { createCodec } from "../../../../protocols/codec.ts";
import { arrayBus } from "../../../support/edge.ts";
import { askedEdge } from "../../../support/edge-app.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const codec = createCodec([AlertNotification]);
const alert = { object: "person", event: "intrusion", device_id: "7", device_name: "gate" };

const setUp = async (options: Parameters<typeof askedEdge>[0] = {}) => {
  const clock = virtualClock();
  const bus = arrayBus(clock);
  const edge = await askedEdge({ clock, bus, ...options });
  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const answer = await edge.app.request("/api/alerts/hook", {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
    return { status: answer.status, json: (await answer.json()) as { code: unknown; data: { status: string }; field?: string } };
  };
  const stored = () =>
    bus.records(alertNotifications.name).map(({ key, type, bytes }) => ({ key, alert: codec.read(type, bytes) }));
  return { clock, bus, post, stored };
};

test("an alert is in the log, by its device, before it is answered", async () => {
  const { post, stored } = await setUp();
  const { status, json } = await post({
    ...alert,
    region: "north",
    information: { track_id: 4 },
    time: "2026-05-01 12:00:00",
    image_path: "/data/a.jpg",
    task_type: "snapshot",
    unknown: 1,
  });
  expect([status, json]).toEqual([
    200,
    { code: 0, message: "success", data: { status: "success", topic: "iot-alert-notification", partition: 0, offset: 0 } },
  ] as never);
  expect(stored()).toMatchObject([
    {
      key: "7",
      alert: {
        ok: true,
        message: {
          deviceId: "7",
          deviceName: "gate",
          alert: {
            object: "person",
            event: "intrusion",
            region: "north",
            information: '{"track_id":4}',
            imagePath: "/data/a.jpg",
            time: "2026-05-01 12:00:00",
            taskType: "snapshot",
          },
        },
      },
    },
  ]);
});

test.each(["object", "event", "device_id", "device_name"])("without %s it is refused by name", async (field) => {
  const { post, stored } = await setUp();
  for (const value of [undefined, "", 7, null]) {
    const { status, json } = await post({ ...alert, [field]: value });
    expect([status, json.code, json.field]).toEqual([400, "invalid_field", field]);
  }
  expect(stored()).toEqual([]);
});

test.each([
  ["information", { information: { note: "x".repeat(9_000) } }],
  ["time", { time: "yesterday" }],
  ["task_type", { task_type: "odd" }],
])("a wrong %s is refused", async (field, wrong) => {
  const { post } = await setUp();
  const { status, json } = await post({ ...alert, ...wrong });
  expect([status, json.field]).toEqual([400, field]);
});

test("a second one of the same device and kind within five seconds is suppressed; others are not", async () => {
  const { clock, post } = await setUp();
  const told = async (fields: object = {}) => (await post({ ...alert, ...fields })).json.data.status;
  expect(await told()).toBe("success");
  expect(await told()).toBe("suppressed");
  expect(await told({ task_type: "snapshot" })).toBe("success");
  expect(await told({ device_id: "8" })).toBe("success");
  await clock.advance(4_999);
  expect(await told()).toBe("suppressed");
  await clock.advance(1);
  expect(await told()).toBe("success");
});

test("one that could not be stored says so and suppresses nothing", async () => {
  const { bus, post } = await setUp();
  bus.away = true;
  expect((await post(alert)).json.data.status).toBe("failed");
  bus.away = false;
  expect((await post(alert)).json.data.status).toBe("success");
});

test("a viewer may not tell alerts", async () => {
  const { post } = await setUp({ tokens: [{ name: "eye", role: "viewer", token: "t" }] });
  expect((await post(alert, { authorization: "Bearer t" })).status).toBe(403);
});
