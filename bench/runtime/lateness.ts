/** How late an actor's timers are, while the six actors of a pipeline have always more to do, or nothing. */
import type { LiveDetection } from "../../protocols/detection.ts";
import type { Infer } from "../../protocols/message.ts";
import { type ActorDefinition, addressOf, type Context } from "../../runtime/actor.ts";
import { stage } from "../../runtime/tree.ts";
import type { Contestant } from "../harness.ts";
import { ringStages, startTree, Tick } from "./own.ts";

type Ticked = Infer<typeof Tick>;

const timers = 20;
/** Timers do not run in step: each has its own period. */
const periodMs = (timer: number): number => 10 + (timer % 7);

type Late = { readonly heard: (lateMs: number) => boolean };

const set = (timer: number, { timers: mine, monotonicMs }: Context<Ticked>): void =>
  mine.after(String(timer), periodMs(timer), { type: Tick.type, timer, dueMs: monotonicMs() + periodMs(timer) });

/** Sets each timer again when it has run out, until `heard` says that it is enough. */
const ticker: ActorDefinition<Late, Late, Ticked> = {
  name: "ticker",
  mailbox: { capacity: 64, overflow: "drop-oldest" },
  start(args, context) {
    for (let timer = 0; timer < timers; timer++) set(timer, context);
    return args;
  },
  on: {
    [Tick.type](state, { timer, dueMs }, context) {
      if (state.heard(context.monotonicMs() - dueMs)) set(timer, context);
      return state;
    },
  },
};

const hops = 6;
/** Detections on their way at any time. */
const inFlight = 200;

export const ticking = (name: string, load: readonly LiveDetection[]): Contestant => ({
  name,
  async run(size) {
    const late: number[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const heard = (lateMs: number): boolean => {
      if (late.length === size) return false;
      late.push(lateMs);
      if (late.length === size) resolve();
      return late.length < size;
    };
    let sent = 0;
    const send = () => {
      const next = load[sent++ % load.length];
      if (next && late.length < size) system.tell(addressOf<LiveDetection>("vedette/actor-0"), next);
    };
    const stages = ringStages<LiveDetection>("detection_result", hops, (at, message) => {
      if (at < hops - 1) return message;
      send(); // each that arrives makes room for one
      return null;
    });
    const system = await startTree([...stages, stage(ticker, { args: { heard } })]);
    for (let at = 0; at < Math.min(inFlight, load.length * inFlight); at++) send();
    await promise;
    await system.stop("measured", 1_000);
    return { values: late, hash: size };
  },
});
