/**
 * `bun:test` for Node and Deno: what the portable tests use of it, with Jest's `expect`. Files register here as they are
 * imported; `run.ts` beside this file then runs what was registered. A matcher or a function that is missing fails by its name.
 * node:test is not used: its asynchronous hooks make promises, and so the simulation, ten times as slow.
 */
import { inspect } from "node:util";
import { expect } from "expect";

type Body = (...args: never[]) => unknown;
type Hook = () => unknown;
type Hooks = { readonly before: Hook[]; readonly after: Hook[]; readonly beforeEach: Hook[]; readonly afterEach: Hook[] };

export type Case = { readonly title: string; readonly timeoutMs: number; readonly isSkipped: boolean; readonly body: Hook };
export type Suite = { readonly title: string; readonly hooks: Hooks; readonly children: (Case | Suite)[] };

export const newSuite = (title: string): Suite => ({
  title,
  hooks: { before: [], after: [], beforeEach: [], afterEach: [] },
  children: [],
});
let open = newSuite("");

/** What `load` registers, as a suite of its own. */
export const collect = async (title: string, load: () => Promise<unknown>): Promise<Suite> => {
  open = newSuite(title);
  const suite = open;
  await load();
  return suite;
};

/** Of a test that names none: as long as under Bun, where tools/test.ts says so. */
const defaultTimeoutMs = 20_000;

/** Short, for rows hold megabytes too. */
const shown = (value: unknown): string =>
  typeof value === "string" ? value : inspect(value, { depth: 2, maxArrayLength: 8, maxStringLength: 80, breakLength: Infinity });

/** Fills a title's `%s`, `%d`, `%p` and the like, each from the next value of the row. */
const titleOf = (title: string, row: readonly unknown[]): string => {
  let next = 0;
  return title.replace(/%([sdifjop%])/g, (whole, kind: string) => {
    if (kind === "%") return "%";
    return next < row.length ? shown(row[next++]) : whole;
  });
};

type Register = (title: string, body: Hook, timeoutMs?: number) => void;

/** A row that is a list is spread over the arguments. */
const eachOf = (register: Register) => (rows: readonly unknown[]) => (title: string, body: Body, timeoutMs?: number) => {
  for (const row of rows) {
    const args = Array.isArray(row) ? row : [row];
    const call = body as (...values: unknown[]) => unknown; // the test's own types hold for the rows it gave
    register(titleOf(title, args), () => call(...args), timeoutMs);
  }
};
const withEach = (register: Register) => Object.assign(register, { each: eachOf(register) });

const registerCase =
  (isSkipped: boolean): Register =>
  (title, body, timeoutMs = defaultTimeoutMs) =>
    void open.children.push({ title, timeoutMs, isSkipped, body });

export const test = Object.assign(withEach(registerCase(false)), {
  skip: registerCase(true),
  skipIf: (condition: unknown) => withEach(registerCase(Boolean(condition))),
});

export const describe = withEach((title, body) => {
  const around = open;
  open = newSuite(title);
  around.children.push(open);
  body();
  open = around;
});

export const beforeAll = (hook: Hook): void => void open.hooks.before.push(hook);
export const afterAll = (hook: Hook): void => void open.hooks.after.push(hook);
export const beforeEach = (hook: Hook): void => void open.hooks.beforeEach.push(hook);
export const afterEach = (hook: Hook): void => void open.hooks.afterEach.push(hook);

const judged = (pass: boolean, received: unknown, wanted: string) => ({
  pass,
  message: () => `${shown(received)} ${pass ? "is" : "is not"} ${wanted}`,
});
/** Bun's own matchers. */
expect.extend({
  toBeTrue: (received: unknown) => judged(received === true, received, "true"),
  toBeFalse: (received: unknown) => judged(received === false, received, "false"),
});

export { expect };
