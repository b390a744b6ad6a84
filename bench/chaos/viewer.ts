/** A client of the edge for the whole run, through all its deaths: what it was shown, and what it was sent. */
import { messagePack } from "../../edge/client/message-pack.ts";
import { connectLive } from "../../edge/client.ts";
import { incidentRecordId } from "../../protocols/incident.ts";
import type { ServerMessage } from "../../protocols/websocket.ts";
import { systemClock } from "../../runtime/clock.ts";
import { systemRandom } from "../../runtime/random.ts";

export type ShownUpdate = { readonly taskIds: readonly string[]; readonly capturedAt: number; readonly atMs: number };

export type Viewer = {
  readonly updates: ReadonlyMap<string, ShownUpdate>;
  readonly incidents: ReadonlySet<string>;
  /** Ids that the client showed a second time. */
  readonly shownTwice: readonly string[];
  /** Ids that came a second time over one connection and that the client kept to itself. */
  readonly sentTwice: () => number;
  /** How often the edge said that events were missed; those are asked for again. */
  readonly lagged: () => number;
  readonly connections: () => number;
  readonly close: () => void;
};

const eventIdOf = (message: ServerMessage): string | null => {
  if (message.type === "risk_update") return message.data.id;
  return message.type === "incident" ? incidentRecordId({ ...message.data, type: "incident" }) : null;
};

export const openViewer = (port: number, heard: (message: ServerMessage) => void): Viewer => {
  const updates = new Map<string, ShownUpdate>();
  const incidents = new Set<string>();
  const shownTwice: string[] = [];
  let sent = new Set<string>();
  let sentTwice = 0;
  let connections = 0;
  let lagged = 0;

  const note = (id: string): void => {
    if (sent.has(id)) sentTwice++;
    sent.add(id);
  };
  const client = connectLive({
    url: `ws://127.0.0.1:${port}/ws`,
    clock: systemClock,
    random: systemRandom,
    from: "",
    // The client's own form, with an ear in front of what it sorts out.
    binary: {
      ...messagePack,
      decode(bytes) {
        const message = messagePack.decode(bytes);
        const id = eventIdOf(message as ServerMessage); // the server's own word
        if (id !== null) note(id);
        return message;
      },
    },
    message(message) {
      if (message.type === "connection_ack") {
        connections++;
        sent = new Set();
      }
      if (message.type === "lagged") lagged++;
      if (message.type === "risk_update") {
        const { id, capturedAt, results } = message.data;
        if (updates.has(id)) shownTwice.push(id);
        updates.set(id, { capturedAt, taskIds: results.map(({ taskId }) => taskId), atMs: systemClock.nowMs() });
      }
      if (message.type === "incident") {
        const id = eventIdOf(message) ?? "";
        if (incidents.has(id)) shownTwice.push(id);
        incidents.add(id);
      }
      heard(message);
    },
  });
  return {
    updates,
    incidents,
    shownTwice,
    sentTwice: () => sentTwice,
    lagged: () => lagged,
    connections: () => connections,
    close: client.close,
  };
};
