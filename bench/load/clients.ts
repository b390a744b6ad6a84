/**
 * The WebSocket clients of a load run, in a process of their own. Arguments: address, clients, cameras, cameras of each client,
 * milliseconds between slots (0: unknown). It speaks with its parent by messages.
 */
import { systemClock } from "../../runtime/clock.ts";
import { createListener, type Heard, type Progress } from "./listener.ts";

export type ClientsAsked = { readonly begin: number } | { readonly end: number } | "progress" | "heard";
export type ClientsAnswer =
  | { readonly type: "ready" | "noted" }
  | { readonly type: "progress"; readonly progress: Progress }
  | { readonly type: "heard"; readonly heard: Heard };

const say = (answer: ClientsAnswer): void => void process.send?.(answer);

const [url = "", ...numbers] = process.argv.slice(2);
const [clients = 0, cameras = 0, camerasPerClient = 0, slotMs = 0] = numbers.map(Number);
const listener = createListener(systemClock, slotMs > 0 ? slotMs : null, Math.min(cameras, clients * camerasPerClient));

/** Clients take the cameras in turn, so that each camera has as many. */
const camerasOf = (client: number): number[] =>
  Array.from({ length: Math.min(cameras, camerasPerClient) }, (_, index) => ((client * camerasPerClient + index) % cameras) + 1);

const connect = (client: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const hear = listener.client();
    socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") hear(data);
    });
    socket.addEventListener("open", () => {
      socket.send(JSON.stringify({ type: "subscribe", data: { cameraIds: camerasOf(client) } }));
      resolve();
    });
    socket.addEventListener("close", ({ code, reason }) => {
      process.stderr.write(`client ${client} was closed: ${code} ${reason}\n`);
      reject(new Error(`client ${client} could not connect to ${url}`));
    });
  });

process.on("message", (asked: ClientsAsked) => {
  if (asked === "progress") return say({ type: "progress", progress: listener.progress() });
  if (asked === "heard") return say({ type: "heard", heard: listener.heard() });
  if ("begin" in asked) listener.begin(asked.begin);
  else listener.end(asked.end);
  say({ type: "noted" });
});
process.on("disconnect", () => process.exit(0));
for (let client = 0; client < clients; client++) await connect(client);
say({ type: "ready" });
