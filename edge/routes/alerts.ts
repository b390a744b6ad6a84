/** The alert hook of other programs: an alert is in the log before it is answered. */
import { createRoute, z } from "@hono/zod-openapi";
import { type AlertNotification, alertNotifications, alertTaskTypes } from "../../protocols/alert.ts";
import { createCodec } from "../../protocols/codec.ts";
import type { Clock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { traceId, uuidV7 } from "../../runtime/random.ts";
import { requireRole } from "../auth.ts";
import type { EdgePorts } from "../ports.ts";
import { createRoutes, type EdgeApp, json, problems } from "./routing.ts";

/** Of one device and kind of task: what comes sooner after the last that was taken is not taken. */
const suppressMs = 5_000;
const rememberedMax = 10_000;

const text = (max: number) => z.string().max(max);
const required = (max: number) => z.string("is required").min(1, "is required").max(max);
const Body = z
  .object({
    object: required(128),
    event: required(128),
    device_id: required(128),
    device_name: required(256),
    region: text(512).nullish(),
    information: z
      .union([text(8_192), z.record(z.string(), z.unknown())])
      .nullish()
      .describe("An object, or its JSON"),
    time: z
      .string()
      .regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, "expected YYYY-MM-DD HH:MM:SS")
      .nullish(),
    image_path: text(1_024).nullish(),
    record_path: text(1_024).nullish(),
    task_type: z.enum(alertTaskTypes).default("realtime"),
    correlation_id: text(128).nullish(),
  })
  .refine(({ information }) => JSON.stringify(information ?? null).length <= 8_192, {
    path: ["information"],
    message: "is longer than 8192 characters",
  })
  .openapi("Alert");
type Body = z.output<typeof Body>;

const Answer = z
  .object({
    code: z.int(),
    message: z.string(),
    data: z.object({
      status: z.enum(["success", "failed", "skipped", "suppressed"]),
      topic: z.string().optional(),
      partition: z.int().optional(),
      offset: z.int().optional(),
      reason: z.string().optional(),
      error: z.string().optional(),
    }),
  })
  .openapi("AlertAnswer");
type Data = z.infer<typeof Answer>["data"];

const hook = createRoute({
  method: "post",
  path: "/api/alerts/hook",
  tags: ["alerts"],
  summary: "Takes an alert of another program",
  request: { body: { required: true, content: { "application/json": { schema: Body } } } },
  responses: { 200: json(Answer, "What became of it; `failed` may be sent again"), ...problems(400, 401, 403) },
});

/** `2026-05-01T12:00:00.000Z` as the hook's programs write it. */
const plainTime = (nowMs: number): string => new Date(nowMs).toISOString().slice(0, 19).replace("T", " ");

const notificationOf = (body: Body, id: string, nowMs: number): AlertNotification => {
  const { information, region, image_path, record_path, correlation_id } = body;
  return {
    type: "alert.notification",
    id,
    deviceId: body.device_id,
    deviceName: body.device_name,
    alert: {
      object: body.object,
      event: body.event,
      ...(region ? { region } : {}),
      ...(information ? { information: typeof information === "string" ? information : JSON.stringify(information) } : {}),
      ...(image_path ? { imagePath: image_path } : {}),
      ...(record_path ? { recordPath: record_path } : {}),
      time: body.time ?? plainTime(nowMs),
      taskType: body.task_type,
    },
    channels: [],
    notifyMethods: [],
    notifyUsers: [],
    shouldNotify: false,
    ...(correlation_id ? { correlationId: correlation_id } : {}),
    timestamp: new Date(nowMs).toISOString(),
  };
};

/** When the last alert of each device and kind of task was taken; the longest ago is forgotten first. */
const createSuppression = (clock: Clock) => {
  const takenAtMs = new Map<string, number>();
  return {
    applies: (name: string): boolean => clock.monotonicMs() - (takenAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < suppressMs,
    begin(name: string) {
      takenAtMs.delete(name);
      takenAtMs.set(name, clock.monotonicMs());
      if (takenAtMs.size > rememberedMax) takenAtMs.delete(takenAtMs.keys().next().value ?? "");
    },
    undo: (name: string) => void takenAtMs.delete(name),
  };
};

export const alertRoutes = ({ bus, clock, random, log }: Pick<EdgePorts, "bus" | "clock" | "random" | "log">): EdgeApp => {
  const routes = createRoutes();
  const codec = createCodec(alertNotifications.messages);
  const suppression = createSuppression(clock);

  const store = async (alert: AlertNotification): Promise<Data> => {
    const { name, keyOf, idOf } = alertNotifications;
    const record = { topic: name, key: keyOf(alert), id: idOf(alert), type: alert.type, trace: traceId(random) };
    try {
      const [place] = await bus.append([{ ...record, bytes: codec.encode(alert) }]);
      return { status: "success", ...(place ? { topic: name, partition: place.partition, offset: place.offset } : {}) };
    } catch (thrown) {
      log.warn("request.failed", { path: hook.path, reason: reasonOf(thrown) });
      return { status: "failed", error: "the alert could not be stored; send it again" };
    }
  };

  routes.openapi(hook, async (c) => {
    requireRole(c.get("principal"), "operator");
    const body = c.req.valid("json");
    const answer = (data: Data) => c.json({ code: 0, message: data.status, data }, 200);
    const name = `${body.task_type} ${body.device_id}`;
    if (suppression.applies(name)) return answer({ status: "suppressed", reason: "alert_event_suppress_interval" });
    // From now on, so that a second one does not pass while the first is stored; a failed one suppresses nothing.
    suppression.begin(name);
    const nowMs = clock.nowMs();
    const data = await store(notificationOf(body, uuidV7(nowMs, random), nowMs));
    if (data.status === "failed") suppression.undo(name);
    return answer(data);
  });
  return routes;
};
