/** What must hold while a run goes on and once it is at rest; each says what does not. */
import type { SystemNode } from "../../../runtime/supervisor/node.ts";
import type { Count, Ledger, Life } from "./ledger.ts";
import { quotas } from "./provider.ts";

/** One process, as it is between two steps. */
export type View = {
  readonly life: Life;
  readonly tree: SystemNode;
  /** Nothing is under way: what holds in the end must hold exactly. */
  readonly isAtRest: boolean;
};

export type Invariant = (view: View) => readonly string[];

const nodesOf = (node: SystemNode): readonly SystemNode[] => [node, ...node.children.flatMap(nodesOf)];

/** The kinds of message that travel through mailboxes, and the stage that hears each. */
const hears: Readonly<Record<string, string>> = {
  frame: "tracker",
  sight: "grouper",
  look: "board",
  assess: "assessor",
  "detection.result": "task-generator",
  "assessment.task": "scheduler",
  "assessment.result": "aggregator",
};

/** Every message that a stage was offered was handled, lost in a turn that threw, let go with a reason, or waits. */
export const messagesAreConserved: Invariant = ({ life, tree, isAtRest }) => {
  const nodes = nodesOf(tree);
  return Object.entries(hears).flatMap(([type, stage]) => {
    const of = (count: Count) => count.get(type) ?? 0;
    const waiting = nodes.filter(({ name }) => name === stage).reduce((sum, { mailbox }) => sum + (mailbox?.depth ?? 0), 0);
    const accounted = of(life.handled) + of(life.thrown) + of(life.dropped) + waiting;
    if (accounted === of(life.offered) || (!isAtRest && accounted < of(life.offered))) return [];
    return [`${stage}: ${of(life.offered)} ${type} offered, ${accounted} accounted for`];
  });
};

/** Every record taken from a topic is committed or in work. (One that is set aside is committed.) */
export const recordsAreConserved: Invariant = ({ life, tree, isAtRest }) =>
  nodesOf(tree).flatMap(({ takes }) => {
    if (!takes) return [];
    let open = 0;
    for (const [place, { next, committed }] of life.taking) if (place.startsWith(`${takes.topic}/`)) open += next - committed;
    if (takes.inWork <= open && (!isAtRest || open === 0)) return [];
    return [`${takes.topic}: ${open} taken and not committed, ${takes.inWork} in work`];
  });

/** What one turn may still add when its target is nearly full. */
const oneTurn = { messages: 1, bytes: 2_048 };

/** No mailbox holds more than its capacity and one turn's emissions. */
export const mailboxesAreBounded: Invariant = ({ life, tree }) =>
  nodesOf(tree).flatMap(({ name, mailbox }) => {
    const policy = life.policies.get(name);
    if (!policy || !mailbox) return [];
    const messagesMax = policy.capacity + oneTurn.messages;
    const bytesMax = (policy.capacityBytes ?? Number.POSITIVE_INFINITY) + oneTurn.bytes;
    if (mailbox.depth <= messagesMax && mailbox.bytes <= bytesMax) return [];
    return [
      `${name}: ${mailbox.depth} messages, ${mailbox.bytes} bytes wait; ${messagesMax} messages, ${bytesMax} bytes allowed`,
    ];
  });

export const whileRunning: readonly Invariant[] = [messagesAreConserved, recordsAreConserved, mailboxesAreBounded];

/** The most sends in any window of `windowMs`. */
const mostWithin = (sentAtMs: readonly number[], windowMs: number): number => {
  let most = 0;
  let first = 0;
  sentAtMs.forEach((atMs, index) => {
    while ((sentAtMs[first] ?? 0) <= atMs - windowMs) first++;
    most = Math.max(most, index - first + 1);
  });
  return most;
};

/** No window of 1 s or 60 s of send times holds more calls than the account allows. */
export const quotasAreKept = ({ sends }: Ledger): readonly string[] =>
  [...sends.values()].flatMap(({ group, sentAtMs }) => {
    const { rps, rpm } = quotas[group];
    const [inSecond, inMinute] = [mostWithin(sentAtMs, 1_000), mostWithin(sentAtMs, 60_000)];
    return [
      ...(inSecond > rps ? [`${group}: ${inSecond} calls within 1 s, ${rps} allowed`] : []),
      ...(inMinute > rpm ? [`${group}: ${inMinute} calls within 60 s, ${rpm} allowed`] : []),
    ];
  });

/** An orderly stop with time enough leaves no record that was taken and not committed. */
export const drainLosesNothing = ({ taking }: Life): readonly string[] =>
  [...taking].flatMap(([place, { next, committed }]) =>
    next === committed ? [] : [`${place}: stopped at ${committed}, though ${next} was reached`],
  );
