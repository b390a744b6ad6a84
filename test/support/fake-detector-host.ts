/** A detector host without a thread: a test reads its orders and gives its answers. */
import type { Answer, DetectorHost, HostEvents, Order } from "../../actors/detector/host.ts";

export type FakeHost = {
  readonly orders: Order[];
  readonly answer: (answer: Answer) => void;
  readonly die: (reason: string) => void;
  readonly isEnded: () => boolean;
  /** Answers the oldest run that is not answered. */
  readonly detect: () => void;
};

/** `started` are the hosts in the order of their start; `onStart` answers for those that are to be ready by themselves. */
export const fakeHosts = (onStart: (host: FakeHost, index: number) => void = (host) => host.answer(ready)) => {
  const started: FakeHost[] = [];
  const start = (events: HostEvents): DetectorHost => {
    const orders: Order[] = [];
    let ended = false;
    let answered = 0;
    const host: FakeHost = {
      orders,
      answer: (answer) => events.answer(answer),
      die: (reason) => events.ended(reason),
      isEnded: () => ended,
      detect() {
        const run = orders.filter((order) => order.type === "run")[answered++];
        if (!run) throw new Error("the host has no run to answer");
        events.answer({ type: "detected", id: run.id, detections: [], inferenceMs: 15 });
      },
    };
    const index = started.push(host) - 1;
    return {
      post(order) {
        orders.push(order);
        // As with a thread, the answer comes after the order was given.
        if (order.type === "start") queueMicrotask(() => onStart(host, index));
      },
      end() {
        ended = true;
      },
    };
  };
  return { started, start };
};

export const ready: Answer = { type: "ready", provider: "cpu", refused: [] };
