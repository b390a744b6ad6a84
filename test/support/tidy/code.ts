/** Rules about lines of code. */
import { codeOf, commentOf, eachLine, isTest, isTypeScript, type Rule } from "./text.ts";

type Ban = { readonly call: RegExp; readonly name: string; readonly instead: string; readonly allowed?: RegExp };

const clock = "the Clock that is handed in";
/** Time and randomness have one file each; the dashboard runs in a browser. */
const outside = /^(runtime\/clock\.ts|edge\/dashboard\/)/;
const bans: readonly Ban[] = [
  { call: /\bDate\.now\b/, name: "Date.now", instead: clock, allowed: outside },
  { call: /\bnew Date\(\s*\)/, name: "new Date()", instead: clock, allowed: outside },
  { call: /\bsetTimeout\b/, name: "setTimeout", instead: clock, allowed: outside },
  { call: /\bsetInterval\b/, name: "setInterval", instead: "every() of runtime/clock.ts", allowed: outside },
  { call: /\bperformance\.now\b/, name: "performance.now", instead: clock, allowed: outside },
  { call: /\bBun\.sleep(Sync)?\b/, name: "Bun.sleep", instead: "a condition with a bound" },
  {
    call: /\bMath\.random\b/,
    name: "Math.random",
    instead: "the Random that is handed in",
    allowed: /^(runtime\/random\.ts|edge\/dashboard\/)/,
  },
  { call: /\brandomUUID\b/, name: "crypto.randomUUID", instead: "uuidV7 of runtime/random.ts" },
  {
    call: /\bprocess\.env\b|\bBun\.env\b/,
    name: "process.env",
    instead: "a setting in config/schema.ts",
    allowed: /^(config\/load\.ts|test\/|tools\/|bench\/)/,
  },
  {
    call: /\bconsole\.\w/,
    name: "console",
    instead: "the log port, or process.stdout.write in tools",
    allowed: /^edge\/dashboard\//,
  },
  { call: /\bas any\b/, name: "as any", instead: "a type, or unknown and a check" },
  { call: /^\s*export\s+\*/, name: "export *", instead: "imports of the file itself" },
  { call: /\b(test|it|describe)\.only\b/, name: "only", instead: "the whole suite" },
];
const comments: readonly Ban[] = [
  { call: /@ts-(ignore|nocheck)/, name: "@ts-ignore", instead: "a type that holds" },
  { call: /\?$/, name: "a comment that ends in a question", instead: "the answer" },
];

const objection = ({ name, instead }: Ban): string => `${name} is banned, use ${instead}`;

export const calls: Rule = {
  name: "banned calls",
  applies: isTypeScript,
  check: (file) =>
    eachLine(file, (line) => {
      const code = codeOf(line);
      const ban = bans.find(({ call, allowed }) => call.test(code) && !allowed?.test(file.path));
      if (ban) return objection(ban);
      const comment = commentOf(line);
      const said = comment === null ? undefined : comments.find(({ call }) => call.test(comment));
      return said ? objection(said) : null;
    }),
  broken: [
    { path: "actors/a.ts", text: "const t = Date.now();" },
    { path: "actors/a.ts", text: "const t = new Date( );" },
    { path: "test/unit/a.test.ts", text: "await new Promise((done) => setTimeout(done, 5));" },
    { path: "edge/a.ts", text: "setInterval(run, 5);" },
    { path: "edge/a.ts", text: "const t = performance.now();" },
    { path: "test/unit/a.test.ts", text: "await Bun.sleep(5);" },
    { path: "edge/a.ts", text: "const r = Math.random();" },
    { path: "edge/a.ts", text: "crypto.randomUUID();" },
    { path: "edge/a.ts", text: "if (process.env.X) run();" },
    { path: "runtime/a.ts", text: 'console.log("x");' },
    { path: "runtime/a.ts", text: "const x = y as any;" },
    { path: "runtime/a.ts", text: 'export * from "./b.ts";' },
    { path: "test/unit/a.test.ts", text: 'test.only("x", run);' },
    { path: "runtime/a.ts", text: "// @ts-ignore because" },
    { path: "runtime/a.ts", text: "const a = 1; // is this right?" },
    { path: "runtime/a.ts", text: " * dropped when this ends?" },
  ],
  sound: [
    { path: "runtime/clock.ts", text: "nowMs: () => Date.now()," },
    { path: "actors/a.ts", text: 'const says = "use Date.now and setTimeout"; // Date.now is banned here' },
    { path: "actors/a.ts", text: "const at = new Date(capturedAt).toISOString();" },
    { path: "actors/a.ts", text: 'const url = "http://x/?"; const pick = a ? b : c;' },
  ],
};

const linesMax = (path: string): number => (isTest(path) ? 600 : 400);

export const size: Rule = {
  name: "files stay short",
  applies: isTypeScript,
  check: ({ path, lines }) =>
    lines.length - 1 > linesMax(path)
      ? [{ line: linesMax(path) + 1, says: `${lines.length - 1} lines, at most ${linesMax(path)}` }]
      : [],
  broken: [
    { path: "actors/a.ts", text: "x\n".repeat(401) },
    { path: "test/unit/a.test.ts", text: "x\n".repeat(601) },
  ],
  sound: [
    { path: "actors/a.ts", text: "x\n".repeat(400) },
    { path: "test/unit/a.test.ts", text: "x\n".repeat(600) },
  ],
};
