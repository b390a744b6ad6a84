/** What kafkajs throws, in our words: one code, one sentence that says what to do. */
import { Fault, reasonOf } from "../errors.ts";

type Thrown = {
  readonly name?: unknown;
  readonly type?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly originalError?: unknown;
};

/** The error and those behind it, nearest first. */
const chainOf = (thrown: unknown): readonly Thrown[] => {
  const chain: Thrown[] = [];
  const visit = (each: unknown) => {
    if (typeof each !== "object" || each === null || chain.length > 20 || chain.includes(each)) return;
    chain.push(each);
    const { cause, originalError, errors } = each as Thrown; // fields of unknown type, looked at one by one
    visit(cause);
    visit(originalError);
    if (Array.isArray(errors)) for (const inner of errors) visit(inner);
  };
  visit(thrown);
  return chain;
};

/** The broker's own name for the error, such as `TOPIC_AUTHORIZATION_FAILED`. */
export const protocolErrorOf = (thrown: unknown): string | null => {
  const type = chainOf(thrown).find((each) => typeof each.type === "string")?.type;
  return typeof type === "string" ? type : null;
};

const has = (thrown: unknown, name: RegExp): boolean => chainOf(thrown).some((each) => name.test(String(each.name)));

const forbidden = /AUTHORIZATION_FAILED$/;
const unauthorized = /^(SASL_AUTHENTICATION_FAILED|UNSUPPORTED_SASL_MECHANISM|ILLEGAL_SASL_STATE)$/;
const tooLarge = /^(MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE)$/;
/** The member is not what it was: another owns its partitions, or will. */
const lost = /^(ILLEGAL_GENERATION|UNKNOWN_MEMBER_ID|FENCED_INSTANCE_ID|REBALANCE_IN_PROGRESS)$/;

/** A broker that is there, and loads the group or does not have it: another has it, or will in a moment. */
const coordinatorMoves = /^(GROUP_LOAD_IN_PROGRESS|GROUP_COORDINATOR_NOT_AVAILABLE|NOT_COORDINATOR_FOR_GROUP)$/;
const ofCoordinator = "coordinator";

/** The broker answered, so that this is no outage. */
export const isOfCoordinator = ({ details }: Fault): boolean => details.reason === ofCoordinator;

export const asFault = (thrown: unknown, doing: string): Fault => {
  if (thrown instanceof Fault) return thrown;
  const type = protocolErrorOf(thrown);
  const say = (text: string): string => `${doing}: ${text}`;
  const options = { cause: thrown, details: { reason: type ?? "connection" } };
  if (type !== null && forbidden.test(type))
    return new Fault(
      "forbidden",
      say(`the broker says ${type}: give this user the right, or log in as another (kafka.sasl)`),
      options,
    );
  if ((type !== null && unauthorized.test(type)) || has(thrown, /SASLAuthentication/))
    return new Fault("unauthorized", say(`the broker refused the login: ${reasonOf(thrown)}; look at kafka.sasl`), options);
  if (type !== null && tooLarge.test(type)) return new Fault("too_large", say(`the broker says ${type}`), options);
  if (type !== null && lost.test(type)) return new Fault("conflict", say(`the group is shared anew (${type})`), options);
  if (type === "OFFSET_OUT_OF_RANGE") return new Fault("not_found", say("the offset is not in the log"), options);
  // kafkajs keeps no type when no broker could name the coordinator.
  if (type === null ? has(thrown, /GroupCoordinatorNotFound/) : coordinatorMoves.test(type))
    return new Fault("unavailable", say(reasonOf(thrown)), { cause: thrown, details: { reason: ofCoordinator } });
  const isTimeout = has(thrown, /Timeout/) || type === "REQUEST_TIMED_OUT";
  return new Fault("unavailable", say(reasonOf(thrown)), {
    cause: thrown,
    details: { reason: isTimeout ? "timeout" : (type ?? "connection") },
  });
};
