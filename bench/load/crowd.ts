/** The process of WebSocket clients, from its parent's side. */
import { join } from "node:path";
import { systemClock } from "../../runtime/clock.ts";
import type { ClientsAnswer, ClientsAsked } from "./clients.ts";
import type { Heard, Progress } from "./listener.ts";
import type { LoadOptions } from "./options.ts";
import { slotMsOf } from "./plan.ts";
import { cpuMsOf } from "./processes.ts";

export type Crowd = {
  readonly begin: (atMs: number) => Promise<void>;
  readonly end: (atMs: number) => Promise<void>;
  readonly progress: () => Promise<Progress>;
  readonly heard: () => Promise<Heard>;
  readonly cpuMs: () => number;
  readonly stop: () => Promise<void>;
};

type AnswerOf<Type> = Extract<ClientsAnswer, { type: Type }>;
const answerMs = 60_000;

/** Resolves when every client is connected. */
export const startCrowd = async (url: string, options: LoadOptions): Promise<Crowd> => {
  const { clients, cameras, camerasPerClient } = options;
  const numbers = [clients, cameras, camerasPerClient, slotMsOf(options) ?? 0].map(String);
  const waiting = new Map<string, (answer: ClientsAnswer) => void>();
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dirname, "clients.ts"), `${url.replace("http", "ws")}/ws`, ...numbers],
    {
      stdio: ["ignore", "ignore", "inherit"],
      serialization: "json",
      ipc: (answer: ClientsAnswer) => waiting.get(answer.type)?.(answer),
    },
  );
  const wait = <Type extends ClientsAnswer["type"]>(type: Type): Promise<AnswerOf<Type>> =>
    new Promise((resolve, reject) => {
      const cancel = systemClock.after(answerMs, () => reject(new Error(`the clients do not say ${type}`)));
      waiting.set(type, (answer) => {
        cancel();
        resolve(answer as AnswerOf<Type>); // kept under its own type
      });
      void child.exited.then((status) => reject(new Error(`the clients ended with ${status}`)));
    });
  const ask = <Type extends ClientsAnswer["type"]>(asked: ClientsAsked, type: Type): Promise<AnswerOf<Type>> => {
    const answer = wait(type);
    child.send(asked);
    return answer;
  };
  await wait("ready");
  return {
    begin: async (atMs) => void (await ask({ begin: atMs }, "noted")),
    end: async (atMs) => void (await ask({ end: atMs }, "noted")),
    progress: async () => (await ask("progress", "progress")).progress,
    heard: async () => (await ask("heard", "heard")).heard,
    cpuMs: () => cpuMsOf(child.pid),
    async stop() {
      child.disconnect();
      await child.exited;
    },
  };
};
