/** `vedette camera`: the cameras of a running process, over HTTP. */
import { z } from "zod";
import { type Command, exit, type Option, serverOptions } from "./command.ts";
import { connectServer } from "./server.ts";
import { columns } from "./text.ts";

const Camera = z.object({
  id: z.int(),
  name: z.string(),
  url: z.string(),
  state: z.string(),
  measuredFps: z.number(),
  health: z.object({ grade: z.string(), reasons: z.array(z.string()) }),
});
type Camera = z.infer<typeof Camera>;
const Probe = z.object({
  ok: z.boolean(),
  codec: z.string().optional(),
  width: z.int().optional(),
  height: z.int().optional(),
  fps: z.number().optional(),
  latencyMs: z.number(),
  error: z.string().optional(),
});

const idBounds = { from: 0, to: Number.MAX_SAFE_INTEGER };
const id: Option = { name: "id", value: "N", does: "the camera", isNeeded: true };
const json: Option = { name: "json", does: "the answer as JSON" };

const rows = (cameras: readonly Camera[]): string[] =>
  columns([
    ["ID", "NAME", "STATE", "FPS", "HEALTH", "ADDRESS"],
    ...cameras.map(({ id, name, state, measuredFps, health, url }) => [
      String(id),
      name,
      state,
      measuredFps.toFixed(1),
      [health.grade, ...health.reasons].join(" "),
      url,
    ]),
  ]);

export const camera: Command = {
  name: "camera",
  does: "Adds, lists, checks and removes cameras of a running process",
  actions: [
    {
      name: "add",
      does: "adds a camera, which stays across restarts",
      options: [
        { ...id, does: "its id, a whole number from 0" },
        { name: "name", value: "NAME", does: "its name", isNeeded: true },
        {
          name: "url",
          value: "URL",
          does: "its address: file: rtsp: rtmp: http: https: or sim://junction?seed=N",
          isNeeded: true,
        },
        { name: "fps", value: "F", does: "frames per second to detect on (default: 2)" },
        { name: "loop", does: "play a file again at its end" },
        json,
        ...serverOptions,
      ],
      async run(given, session) {
        const fps = given.number("fps", { from: 0.05, to: 30 });
        const wanted = {
          id: given.number("id", idBounds),
          name: given.need("name"),
          url: given.need("url"),
          ...(fps === undefined ? {} : { fps }),
          ...(given.isSet("loop") ? { loop: true } : {}),
        };
        const answer = await connectServer(given, session).ask("POST", "/api/cameras", wanted);
        const added = Camera.parse(answer);
        session.out(given.isSet("json") ? JSON.stringify(answer) : `camera ${added.id} ${added.name} is added: ${added.state}`);
        return exit.ok;
      },
    },
    {
      name: "list",
      does: "lists them with their state and health",
      options: [json, ...serverOptions],
      async run(given, session) {
        const answer = await connectServer(given, session).ask("GET", "/api/cameras");
        const { items } = z.object({ items: z.array(Camera) }).parse(answer);
        if (given.isSet("json")) session.out(JSON.stringify(answer));
        else if (items.length === 0) session.out("there are no cameras");
        else for (const line of rows(items)) session.out(line);
        return exit.ok;
      },
    },
    {
      name: "check",
      does: "opens a camera's address once and says what was found; exit code 1 when no picture came",
      options: [
        { ...id, does: "the camera; with --url any id will do" },
        { name: "url", value: "URL", does: "another address than the camera's" },
        json,
        ...serverOptions,
      ],
      async run(given, session) {
        const url = given.text("url");
        const path = `/api/cameras/${given.number("id", idBounds)}/check`;
        const answer = await connectServer(given, session).ask("POST", path, url === undefined ? {} : { url });
        const { ok, codec, width, height, fps, latencyMs, error } = Probe.parse(answer);
        const found = [codec, width && height ? `${width}x${height}` : "", fps ? `${fps.toFixed(1)} fps` : ""].filter(Boolean);
        if (given.isSet("json")) session.out(JSON.stringify(answer));
        else if (ok) session.out(`it delivers: ${[...found, `first picture after ${Math.round(latencyMs)} ms`].join(", ")}`);
        else session.out(`it does not deliver: ${error ?? "no reason was given"}`);
        return ok ? exit.ok : exit.failed;
      },
    },
    {
      name: "remove",
      does: "removes a camera for good",
      options: [id, ...serverOptions],
      async run(given, session) {
        const number = given.number("id", idBounds);
        await connectServer(given, session).ask("DELETE", `/api/cameras/${number}`);
        session.out(`camera ${number} is removed`);
        return exit.ok;
      },
    },
  ],
};
