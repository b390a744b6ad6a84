/** Rules about names, texts and places: every text file of the repository. */
import { posix } from "node:path";
import { eachLine, isTypeScript, type Rule } from "./text.ts";

const everywhere = (): boolean => true;
/** This file talks of what it bans in pieces, so that it keeps its own rules. */
const joined = (...pieces: string[]): string => pieces.join("");

const vague = /(^|\/)(utils?|helpers?|common|shared|misc|lib)(\/|\.ts$)/;
export const names: Rule = {
  name: "names say what a thing is",
  applies: everywhere,
  check({ path }) {
    const part = vague.exec(path)?.[2];
    if (part) return [{ line: 1, says: `${part} is banned as a name, use what it is about` }];
    if (/(^|\/)index\.ts$/.test(path)) return [{ line: 1, says: "index.ts is banned, use imports of the file itself" }];
    return /(manager|handler-base)\.ts$/i.test(path) ? [{ line: 1, says: "Manager is banned as a name, use what it does" }] : [];
  },
  broken: [
    { path: "runtime/utils/a.ts", text: "" },
    { path: "actors/camera/helpers.ts", text: "" },
    { path: "actors/camera/index.ts", text: "" },
    { path: "edge/session-manager.ts", text: "" },
  ],
  sound: [
    { path: "runtime/library.ts", text: "" },
    { path: "edge/dashboard/index.html", text: "" },
  ],
};

const markers = new RegExp(
  `\\b(${[joined("TO", "DO"), joined("FIX", "ME"), joined("XX", "X"), joined("HA", "CK")].join("|")})\\b`,
);
export const leftovers: Rule = {
  name: "no work is left in the text",
  applies: (path) => !/(^|\/)(package-lock\.json|bun\.lock)$/.test(path),
  check: (file) => eachLine(file, (line) => (markers.test(line) ? `${markers.exec(line)?.[1]} is banned, use an issue` : null)),
  broken: [
    { path: "actors/a.ts", text: `// ${joined("TO", "DO")}: later` },
    { path: "docs/a.md", text: joined("FIX", "ME") },
  ],
  sound: [{ path: "actors/a.ts", text: "const todo = [];" }],
};

const hosts = new RegExp(
  [
    joined("registry\\.", "npmjs"),
    joined("registry\\.", "yarnpkg"),
    joined("npm", "mirror\\.com"),
    joined("py", "pi\\.org"),
    joined("python", "hosted\\.org"),
    joined("repo1\\.", "maven"),
    joined("repo\\.", "maven\\."),
    joined("central\\.", "sonatype"),
    joined("deb\\.", "debian"),
    joined("security\\.", "debian"),
    joined("crates\\.", "io"),
    joined("proxy\\.", "golang"),
  ].join("|"),
  "i",
);
export const registries: Rule = {
  name: "package registries are the client's business",
  applies: everywhere,
  check: (file) =>
    eachLine(file, (line) =>
      hosts.test(line) ? `${hosts.exec(line)?.[0]} is banned, use the package's name and the ordinary client` : null,
    ),
  broken: [
    { path: "package-lock.json", text: `"resolved": "https://${joined("registry.", "npmjs")}.org/x"` },
    { path: "docs/a.md", text: `see https://${joined("py", "pi.org")}/project/x` },
  ],
  sound: [{ path: "docs/a.md", text: "from npm, PyPI or Maven, by name" }],
};

export const pictures: Rule = {
  name: "no emoji",
  applies: everywhere,
  check: (file) =>
    eachLine(file, (line) => (/\p{Emoji_Presentation}|\uFE0F/u.test(line) ? "an emoji is banned, use words" : null)),
  broken: [{ path: "docs/a.md", text: `done ${String.fromCodePoint(0x1f680)}` }],
  sound: [{ path: "docs/a.md", text: "from left ↔ right, ≤ 3 × 2 — ok" }],
};

export const homes: Rule = {
  name: "no path of one machine",
  applies: everywhere,
  check: (file) =>
    eachLine(file, (line) =>
      /(^|[\s"'`(=:])\/(work|home\/\w+|Users\/\w+)\//.test(line)
        ? "a path of one machine is banned, use one relative to the repository"
        : null,
    ),
  broken: [{ path: "test/a.ts", text: `const media = "/${joined("wo", "rk")}/media";` }],
  sound: [{ path: "edge/a.ts", text: 'app.get("/api/workers/", list);' }],
};

export const scripts: Rule = {
  name: "tools are TypeScript",
  applies: (path) => path !== ".ci/run",
  check: ({ path, lines }) =>
    /\.(sh|bash|bat|cmd|ps1)$/.test(path) || /^#!.*\b(ba|z|da)?sh\b/.test(lines[0] ?? "")
      ? [{ line: 1, says: "a shell script is banned, use a program in tools/" }]
      : [],
  broken: [
    { path: "tools/a.sh", text: "" },
    { path: "deploy/run", text: "#!/usr/bin/env bash\n" },
  ],
  sound: [{ path: "tools/a.ts", text: "#!/usr/bin/env bun\n" }],
};

const linkPattern = /\[[^\]\n]*\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g;
export const links: Rule = {
  name: "links lead somewhere",
  applies: (path) => path.endsWith(".md"),
  check: (file, exists) =>
    file.lines.flatMap((line, index) =>
      [...line.matchAll(linkPattern)].flatMap(([, target = ""]) => {
        if (/^([a-z][a-z0-9+.-]*:|#|\/\/)/i.test(target)) return [];
        const path = posix.join(posix.dirname(file.path), decodeURI(target.replace(/[#?].*$/, "")));
        return exists(path.replace(/\/$/, "")) ? [] : [{ line: index + 1, says: `${target} is not there` }];
      }),
    ),
  broken: [{ path: "docs/a.md", text: "see [this](none.md)" }],
  sound: [{ path: "docs/a.md", text: "see [this](there.ts), [that](https://example.org/x) and [here](#below)" }],
};

export const tests: Rule = {
  name: "tests stand where the runner looks",
  applies: (path) => isTypeScript(path) && path.endsWith(".test.ts"),
  check: ({ path }) =>
    /^test\/(tidy\.test\.ts$|(unit|property|sim|integration|e2e|browser)\/)/.test(path)
      ? []
      : [{ line: 1, says: "a test is run only below test/unit, property, sim, integration, e2e or browser" }],
  broken: [
    { path: "runtime/a.test.ts", text: "" },
    { path: "test/a.test.ts", text: "" },
  ],
  sound: [{ path: "test/unit/a.test.ts", text: "" }],
};
