/**
 * What calls cost: tokens and money by group, key, camera and day (UTC), and whether a budget allows a further call. Pure
 * state over a time that is handed in; kept as one fact a day, so that a restart does not forget what was spent.
 */
import { z } from "zod";
import type { RiskLevel } from "../../protocols/ids.ts";
import type { Price } from "./group.ts";
import type { Usage } from "./outcome.ts";

export type Caps = {
  /** In the currency of the prices. */
  readonly softCost?: number | undefined;
  readonly hardCost?: number | undefined;
  readonly softTokens?: number | undefined;
  readonly hardTokens?: number | undefined;
};
export type Budget = {
  readonly currency: string;
  /** Of all calls of a day together. */
  readonly day: Caps;
  /** Of each camera and day. */
  readonly cameraDay: Caps;
};

const Tally = z.object({
  calls: z.int().min(0),
  /** Without an answer. */
  failed: z.int().min(0),
  /** For an answer that could not be read; absent in older books. */
  repairs: z.int().min(0).default(0),
  promptTokens: z.int().min(0),
  completionTokens: z.int().min(0),
  cost: z.number().min(0),
});
export type Tally = z.infer<typeof Tally>;

const Book = z.object({
  day: z.string(),
  total: Tally,
  groups: z.record(z.string(), Tally),
  /** By `group/key`. */
  keys: z.record(z.string(), Tally),
  cameras: z.record(z.string(), Tally),
});
/** One day of one process. */
export type Book = z.infer<typeof Book>;

export type Entry = {
  readonly group: string;
  readonly keyId: string;
  readonly cameraId: number;
  readonly price: Price | undefined;
  readonly usage: Usage | null;
  readonly answered: boolean;
  /** A second call, for an answer that could not be read. */
  readonly isRepair?: boolean;
};

/** `soft`: only dangers are worth a call; `hard`: nothing is. */
export type Spent = "within" | "soft" | "hard";

export type Ledger = {
  /** Gives the call's cost. */
  readonly enter: (entry: Entry, wallMs: number) => number;
  readonly spent: (cameraId: number, wallMs: number) => Spent;
  /** By the caps of all cameras together. */
  readonly spentOfAll: (wallMs: number) => Spent;
  /** The day of all processes together. */
  readonly today: (wallMs: number) => Book;
  /** This process's own day. */
  readonly own: (wallMs: number) => Book;
  readonly recall: (own: Book) => void;
  /** What other processes on the same accounts have spent. */
  readonly others: (books: readonly Book[]) => void;
};

/** Cameras with a tally of their own; those beyond share one. */
const camerasMax = 5_000;
const otherCameras = "other";

const dayMs = 86_400_000;
const nothing = (): Tally => ({ calls: 0, failed: 0, repairs: 0, promptTokens: 0, completionTokens: 0, cost: 0 });
export const dayOf = (wallMs: number): string => new Date(wallMs).toISOString().slice(0, 10);
const emptyBook = (day: string): Book => ({ day, total: nothing(), groups: {}, keys: {}, cameras: {} });

const add = (to: Tally, from: Tally): void => {
  to.calls += from.calls;
  to.failed += from.failed;
  to.repairs += from.repairs;
  to.promptTokens += from.promptTokens;
  to.completionTokens += from.completionTokens;
  to.cost += from.cost;
};
const addTo = (tallies: Record<string, Tally>, name: string, from: Tally): void => {
  const tally = Object.hasOwn(tallies, name) ? tallies[name] : undefined;
  if (tally) add(tally, from);
  else tallies[name] = { ...from };
};
const addBook = (to: Book, from: Book): void => {
  add(to.total, from.total);
  for (const part of ["groups", "keys", "cameras"] as const)
    for (const [name, tally] of Object.entries(from[part])) addTo(to[part], name, tally);
};

const million = 1_000_000;
const costOf = (usage: Usage, price: Price | undefined): number =>
  price === undefined ? 0 : (usage.promptTokens * price.input + usage.completionTokens * price.output) / million;

const against = (
  { softCost, hardCost, softTokens, hardTokens }: Caps,
  { cost, promptTokens, completionTokens }: Tally,
): Spent => {
  const tokens = promptTokens + completionTokens;
  if (cost >= (hardCost ?? Number.POSITIVE_INFINITY) || tokens >= (hardTokens ?? Number.POSITIVE_INFINITY)) return "hard";
  return cost >= (softCost ?? Number.POSITIVE_INFINITY) || tokens >= (softTokens ?? Number.POSITIVE_INFINITY) ? "soft" : "within";
};

const severity: Record<Spent, number> = { within: 0, soft: 1, hard: 2 };

/** Whether a task of this level may still be called for. */
export const isAffordable = (spent: Spent, level: RiskLevel): boolean =>
  spent === "within" || (spent === "soft" && (level === "high" || level === "medium"));

export const createLedger = (budget: Budget): Ledger => {
  let book = emptyBook("");
  let camerasKnown = 0;
  let foreign: readonly Book[] = [];
  /** Of the other processes' books of today. */
  let foreignToday = emptyBook("");

  let dayNumber = Number.NaN;
  let day = "";
  const turn = (wallMs: number): Book => {
    if (Math.floor(wallMs / dayMs) !== dayNumber) {
      dayNumber = Math.floor(wallMs / dayMs);
      day = dayOf(wallMs);
    }
    if (book.day !== day) {
      book = emptyBook(day);
      camerasKnown = 0;
    }
    if (foreignToday.day !== day) {
      foreignToday = emptyBook(day);
      for (const each of foreign) if (each.day === day) addBook(foreignToday, each);
    }
    return book;
  };
  const sumOf = (own: Tally | undefined, other: Tally | undefined): Tally => {
    const sum = nothing();
    if (own) add(sum, own);
    if (other) add(sum, other);
    return sum;
  };

  const spentOfAll = (wallMs: number): Spent => against(budget.day, sumOf(turn(wallMs).total, foreignToday.total));

  return {
    enter({ group, keyId, cameraId, price, usage, answered, isRepair = false }, wallMs) {
      const { total, groups, keys, cameras } = turn(wallMs);
      const used = usage ?? { promptTokens: 0, completionTokens: 0 };
      const tally = { calls: 1, failed: answered ? 0 : 1, repairs: isRepair ? 1 : 0, ...used, cost: costOf(used, price) };
      const camera = String(cameraId);
      const isNew = !Object.hasOwn(cameras, camera);
      const isKnown = !isNew || camerasKnown < camerasMax;
      if (isNew && isKnown) camerasKnown++;
      add(total, tally);
      addTo(groups, group, tally);
      addTo(keys, `${group}/${keyId}`, tally);
      addTo(cameras, isKnown ? camera : otherCameras, tally);
      return tally.cost;
    },
    spentOfAll,
    spent(cameraId, wallMs) {
      const ofAll = spentOfAll(wallMs);
      const { cameras } = turn(wallMs);
      const ofCamera = against(budget.cameraDay, sumOf(cameras[cameraId], foreignToday.cameras[cameraId]));
      return severity[ofAll] >= severity[ofCamera] ? ofAll : ofCamera;
    },
    today(wallMs) {
      const own = turn(wallMs);
      const sum = emptyBook(own.day);
      addBook(sum, own);
      addBook(sum, foreignToday);
      return sum;
    },
    own: turn,
    recall(own) {
      book = own;
      camerasKnown = Object.keys(own.cameras).length;
    },
    others(books) {
      foreign = books;
      foreignToday = emptyBook("");
    },
  };
};

export const encodeBook = (book: Book): Uint8Array => new TextEncoder().encode(JSON.stringify(book));
/** Null when the bytes are no book. */
export const decodeBook = (bytes: Uint8Array): Book | null => {
  try {
    return Book.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null; // the day begins anew: a budget is then kept less strictly, and work goes on
  }
};
