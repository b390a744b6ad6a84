/** A simulated camera in a running process, begun over its WebSocket and ended with this command. */
import { Fault } from "../../../runtime/errors.ts";
import type { Random } from "../../../runtime/random.ts";
import { connectLive } from "../../client.ts";
import type { Session } from "../command.ts";
import { until } from "../records.ts";
import type { Sender } from "./sender.ts";

const connectMs = 10_000;
const stopMs = 5_000;
/** Far above the ids that people give. */
const firstId = 900_000_000;
const fps = 4;

export const simulatedId = (random: Random): number => firstId + Math.floor(random.next() * 1_000_000);

export const startSimulatedCamera = async (
  { url, token }: { readonly url: string; readonly token: string | undefined },
  session: Session,
): Promise<Sender> => {
  const { clock, random } = session;
  const cameraId = simulatedId(random);
  let isOpen = false;
  let isStopped = false;
  let refusal: string | null = null;
  const client = connectLive({
    url: `${url.replace(/^http/, "ws")}/ws`,
    clock,
    random,
    reconnect: false,
    ...(token === undefined ? {} : { token }),
    subscribe: { cameraIds: [cameraId], types: ["camera_status", "stream_stopped"] },
    message(message) {
      if (message.type === "connection_ack") isOpen = true;
      if (message.type === "error") refusal = `${message.data.code}: ${message.data.message}`;
      if (message.type === "stream_stopped") isStopped = true;
    },
  });
  const check = (): void => {
    if (refusal !== null) throw new Fault("unavailable", `the process refuses the simulated camera: ${refusal}`);
    if (client.state().status === "closed" && !isStopped) throw new Fault("unavailable", `the connection to ${url}/ws ended`);
  };
  try {
    const opened = await until(session, connectMs, () => {
      check();
      return isOpen || null;
    });
    if (!opened) throw new Fault("unavailable", `${url}/ws did not answer within ${connectMs / 1_000} s`);
  } catch (thrown) {
    client.close();
    throw thrown;
  }
  const seed = cameraId % 1_000;
  client.send({ type: "start_stream", data: { cameraId, rtspUrl: `sim://junction?seed=${seed}&fps=${fps}&act=near-miss` } });
  const stop = (): void => {
    if (!isStopped) client.send({ type: "stop_stream", data: { cameraId } });
  };
  return {
    cameraId,
    check,
    stop,
    async [Symbol.asyncDispose]() {
      stop();
      // Not bound to the signal: the camera is ended also when the command is interrupted.
      await until(
        { clock, signal: new AbortController().signal },
        stopMs,
        () => isStopped || client.state().status === "closed" || null,
      );
      client.close();
    },
  };
};
