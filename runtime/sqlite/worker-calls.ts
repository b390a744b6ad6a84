/** Questions to a Worker and its answers, one at a time and in order, typed by one table of calls. */
import { Fault, reasonOf, StartRefused } from "../errors.ts";

/** What a Worker can be asked. */
type Table<Calls> = { readonly [Op in keyof Calls]: (args: never) => unknown };
type Args<Call> = Call extends (args: infer Given) => unknown ? Given : never;
type Answer<Call> = Call extends (args: never) => infer Given ? Given : never;

type Question = { readonly number: number; readonly op: string; readonly args: unknown };
type Failure = { readonly kind: "refused" | "damaged" | "fault"; readonly status: number; readonly text: string };
type Reply = { readonly number: number; readonly value: unknown; readonly failure: Failure | null };

export type WorkerCalls<Calls> = {
  /** Rejects with `StartRefused` as the Worker threw it, else with `Fault("unavailable")`. */
  readonly call: <Op extends keyof Calls & string>(
    op: Op,
    args: Args<Calls[Op]>,
    transfer?: ArrayBuffer[],
  ) => Promise<Answer<Calls[Op]>>;
  /** Ends the Worker; only when nothing is asked of it any more. */
  readonly end: () => void;
};

/**
 * `lost` is told once when the Worker ends by itself; every call fails from then on. `damaged` is told of each call that met
 * a damaged file.
 */
export const connectWorker = <Calls extends Table<Calls>>(
  url: URL,
  { lost, damaged }: { readonly lost: (reason: string) => void; readonly damaged: (reason: string) => void },
): WorkerCalls<Calls> => {
  const worker = new Worker(url);
  const open = new Map<number, { readonly resolve: (value: never) => void; readonly reject: (reason: Error) => void }>();
  let number = 0;
  let ended: string | null = null;

  worker.onmessage = ({ data }: MessageEvent<Reply>) => {
    const asked = open.get(data.number);
    open.delete(data.number);
    if (data.failure === null) return asked?.resolve(data.value as never); // the table ties the answer to its question
    const { kind, status, text } = data.failure;
    if (kind === "damaged") damaged(text);
    asked?.reject(kind === "refused" ? new StartRefused(status, text) : new Fault("unavailable", text));
  };
  worker.onerror = ({ message }) => {
    if (ended !== null) return;
    ended = message || "the worker ended";
    for (const { reject } of open.values()) reject(new Fault("unavailable", ended));
    open.clear();
    lost(ended);
  };

  return {
    call: (op, args, transfer = []) =>
      new Promise((resolve, reject) => {
        if (ended !== null) return reject(new Fault("unavailable", ended));
        const question: Question = { number: number++, op, args };
        open.set(question.number, { resolve, reject });
        worker.postMessage(question, transfer);
      }),
    end() {
      ended ??= "the worker was ended";
      worker.terminate();
    },
  };
};

/** What the Worker gives back, and which of its buffers go over instead of being copied. */
export type Given<Value> = { readonly value: Value; readonly transfer?: ArrayBuffer[] };
export type Answers<Calls> = { readonly [Op in keyof Calls]: (args: Args<Calls[Op]>) => Given<Answer<Calls[Op]>> };

declare const self: Worker;

/** In the Worker: answers each call by its function. `damageOf` says what is damaged when that is why a call failed. */
export const answerCalls = <Calls extends Table<Calls>>(
  answers: Answers<Calls>,
  damageOf: (thrown: unknown) => string | null = () => null,
): void => {
  self.onmessage = ({ data }: MessageEvent<Question>) => {
    const answer = answers[data.op as keyof Calls]; // both sides share the table
    try {
      const { value, transfer = [] } = answer(data.args as Args<Calls[keyof Calls]>); // as above
      self.postMessage({ number: data.number, value, failure: null } satisfies Reply, transfer);
    } catch (thrown) {
      const failure = failureOf(thrown, damageOf(thrown));
      self.postMessage({ number: data.number, value: null, failure } satisfies Reply);
    }
  };
};

const failureOf = (thrown: unknown, damage: string | null): Failure => {
  if (thrown instanceof StartRefused) return { kind: "refused", status: thrown.status, text: thrown.message };
  return damage === null ? { kind: "fault", status: 0, text: reasonOf(thrown) } : { kind: "damaged", status: 0, text: damage };
};
