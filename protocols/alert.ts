/** The alert hook → whoever notifies people (topic `iot-alert-notification`): alerts of other programs, taken in over HTTP. */
import { z } from "zod";
import { type Infer, message } from "./message.ts";
import { topic } from "./topic.ts";

export const alertTaskTypes = ["realtime", "snapshot"] as const;

export const AlertNotification = message("alert.notification", "An alert of a device, as its program told it.", {
  id: z.string().min(1).max(64),
  deviceId: z.string().min(1).max(128),
  deviceName: z.string().max(256),
  alert: z.object({
    object: z.string().max(128),
    event: z.string().max(128),
    region: z.string().max(512).optional(),
    information: z.string().max(8_192).optional().describe("JSON, as it was given"),
    imagePath: z.string().max(1_024).optional().describe("Where the device's program says that the picture is; it is not read"),
    recordPath: z.string().max(1_024).optional(),
    time: z.string().describe("`YYYY-MM-DD HH:MM:SS`"),
    taskType: z.enum(alertTaskTypes),
  }),
  channels: z.array(z.string()).max(0),
  notifyMethods: z.array(z.string()).max(0),
  notifyUsers: z.array(z.string()).max(0),
  shouldNotify: z.boolean(),
  correlationId: z.string().max(128).optional(),
  timestamp: z.string().describe("ISO 8601: when it was taken in"),
});
export type AlertNotification = Infer<typeof AlertNotification>;

export const alertNotifications = topic({
  name: "iot-alert-notification",
  doc: "Alerts that other programs told to the hook.",
  messages: [AlertNotification],
  partitions: 4,
  retentionMs: 7 * 24 * 3_600_000,
  maxBytes: 65_536,
  group: null,
  keyOf: (alert) => alert.deviceId,
  idOf: (alert) => alert.id,
});
