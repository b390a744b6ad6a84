import { expect, test } from "bun:test";
import { type Address, actor, addressOf } from "../../../runtime/actor.ts";
import { stage } from "../../../runtime/tree.ts";
import { aSystem } from "../../support/system.ts";
import { thrownBy } from "../../support/thrown.ts";

type Question = { readonly type: "question"; readonly number: number; readonly replyTo: string };
type Answer = { readonly type: "answer"; readonly doubled: number };

/** Answers even numbers; odd ones it keeps to itself. */
const oracle = actor<undefined, null, Question>({
  name: "oracle",
  mailbox: { capacity: 8, overflow: "drop-newest" },
  start: () => null,
  on: {
    question: (state, { number, replyTo }, { reply }) => {
      if (number % 2 === 0) reply(addressOf<Answer>(replyTo), { type: "answer", doubled: number * 2 });
      return state;
    },
  },
});
const at = addressOf<Question>("root/oracle");
const asking =
  (number: number) =>
  (replyTo: Address<Answer>): Question => ({ type: "question", number, replyTo: replyTo.path });

test("a question gets its own answer, whatever else is asked meanwhile", async () => {
  await using it = await aSystem([stage(oracle, { args: undefined })]);
  const answers = Promise.all([4, 10, 2].map((number) => it.system.ask(at, asking(number), 1_000)));
  await it.settle();
  expect((await answers).map(({ doubled }) => doubled)).toEqual([8, 20, 4]);
});

test("a question without an answer is refused when its time is up, and not before", async () => {
  await using it = await aSystem([stage(oracle, { args: undefined })]);
  let isOver = false;
  const refused = thrownBy(it.system.ask(at, asking(3), 1_000)).then((thrown) => {
    isOver = true;
    return thrown;
  });
  await it.clock.advance(999);
  expect(isOver).toBe(false);
  await it.clock.advance(1);
  expect(await refused).toMatchObject({
    code: "unavailable",
    message: "root/oracle did not answer: nothing came within 1000 ms",
  });
});

test("a question for nobody is refused at once", async () => {
  await using it = await aSystem([stage(oracle, { args: undefined })]);
  const refused = await thrownBy(it.system.ask(addressOf<Question>("root/nobody"), asking(2), 1_000));
  expect(refused).toMatchObject({ code: "unavailable", message: "root/nobody did not answer: nobody took the question" });
});

test("an answer that nobody waits for any more is a dead letter, counted", async () => {
  let isReady = false;
  const slow = actor<undefined, null, Question | { readonly type: "tick" }>({
    name: "oracle",
    mailbox: { capacity: 8, overflow: "drop-newest" },
    start: (_args, { timers }) => {
      timers.after("tick", 2_000, { type: "tick" });
      return null;
    },
    ready: () => isReady,
    on: {
      question: (state, { number, replyTo }, { reply }) => {
        reply(addressOf<Answer>(replyTo), { type: "answer", doubled: number * 2 });
        return state;
      },
      tick: (state) => {
        isReady = true;
        return state;
      },
    },
  });
  await using it = await aSystem([stage(slow, { args: undefined })]);
  const refused = thrownBy(it.system.ask(at, asking(2), 1_000));
  await it.clock.advance(1_000);
  expect(await refused).toMatchObject({ code: "unavailable" });
  await it.clock.advance(2_000);
  expect(it.dropped).toEqual({ "ask/0 answer dead_letter": 1 });
});

test("a question too many is refused, and one is taken again when another has its answer", async () => {
  await using it = await aSystem([stage(oracle, { args: undefined })]);
  const waiting = Array.from({ length: 1_000 }, () => thrownBy(it.system.ask(at, asking(1), 60_000)));
  expect(await thrownBy(it.system.ask(at, asking(2), 1_000))).toMatchObject({ code: "unavailable" });
  await it.clock.advance(60_000);
  await Promise.all(waiting);
  const answer = it.system.ask(at, asking(2), 1_000);
  await it.settle();
  expect(await answer).toEqual({ type: "answer", doubled: 4 });
});

test("the end of the system refuses what still waits", async () => {
  const it = await aSystem([stage(oracle, { args: undefined })]);
  const refused = thrownBy(it.system.ask(at, asking(1), 1_000_000));
  await it[Symbol.asyncDispose]();
  expect(await refused).toMatchObject({ message: "root/oracle did not answer: the system has stopped" });
});

test("a stage answers a stage: the answer needs no room, and the two may wait for one another", async () => {
  type Ball = { readonly type: "ball"; readonly left: number };
  const heard: string[] = [];
  const player = (name: string, other: Address<Ball>, answers: boolean) =>
    actor<undefined, null, Ball>({
      name,
      mailbox: { capacity: 1, overflow: "pause-source" },
      start: () => null,
      on: {
        ball: (state, { left }, { tell, reply }) => {
          heard.push(`${name} ${left}`);
          if (left > 0) (answers ? reply : tell)(other, { type: "ball", left: left - 1 });
          return state;
        },
      },
    });
  const [a, b] = [addressOf<Ball>("root/a"), addressOf<Ball>("root/b")];
  await using it = await aSystem([
    stage(player("a", b, false), { args: undefined, tells: [b] }),
    stage(player("b", a, true), { args: undefined }),
  ]);
  it.system.tell(a, { type: "ball", left: 3 });
  await it.settle();
  expect(heard).toEqual(["a 3", "b 2", "a 1", "b 0"]);
});
