/**
 * Clients without anything of ours, each in a thread of its own: there kafkajs is as it comes, without our mends: also with
 * its timers of negative delay, of which Bun warns. */
import type { Contestant } from "../harness.ts";
import type { Delivered } from "./records.ts";

export type BareOrder =
  | {
      readonly type: "open";
      readonly client: "kafkajs" | "platformatic";
      readonly does: "send" | "consume";
      readonly address: string;
      readonly topic: string;
      readonly compression: "none" | "snappy";
      readonly hasHeaders: boolean;
    }
  | { readonly type: "run"; readonly size: number; readonly group: string }
  | { readonly type: "close" };
export type BareAnswer =
  | { readonly type: "done"; readonly delivered?: Delivered }
  | { readonly type: "failed"; readonly reason: string };

export type BareOptions = Omit<Extract<BareOrder, { type: "open" }>, "type"> & {
  readonly name: string;
  /** Before a run, so that there is what is read. */
  readonly before: (size: number) => Promise<void>;
};

export const bare = async ({ name, before, ...order }: BareOptions): Promise<Contestant> => {
  const worker = new Worker(new URL("./bare-worker.ts", import.meta.url), { type: "module" });
  let waiting: PromiseWithResolvers<Delivered | null> | null = null;
  worker.addEventListener("message", ({ data }: MessageEvent<BareAnswer>) => {
    if (data.type === "failed") waiting?.reject(new Error(`${name}: ${data.reason}`));
    else waiting?.resolve(data.delivered ?? null);
  });
  worker.addEventListener("error", ({ message }) => waiting?.reject(new Error(`${name}: ${message}`)));
  const ask = (asked: BareOrder) => {
    waiting = Promise.withResolvers();
    worker.postMessage(asked);
    return waiting.promise;
  };
  await ask({ type: "open", ...order });
  let runs = 0;
  return {
    name,
    async run(size) {
      await before(size);
      const delivered = await ask({ type: "run", size, group: `${order.topic}-${order.client}-${++runs}` });
      if (delivered === null) throw new Error(`${name}: no figure`);
      return { values: [delivered.perSecond], hash: delivered.bytes };
    },
    async close() {
      await ask({ type: "close" });
      worker.terminate();
    },
  };
};
