/** Carries keys of a seed's file over to our settings, and remembers where each stood. */
import { nearest, type Path } from "../shape.ts";
import { isTree, merge, type Source, type Tree, treeOf, type YamlFile } from "../source.ts";

/** Collects what one file says. `from` is where it stands there; `to` where it belongs here. */
export type Mapping = {
  readonly set: (to: Path, value: unknown, from: Path) => void;
  readonly warn: (from: Path, text: string) => void;
  /** Hands each known key of a section to its function, and warns of the others. */
  readonly section: (tree: unknown, from: Path, rows: Readonly<Record<string, Row>>) => void;
};

/** A string says why the key is not read. */
export type Row = string | ReadValue;
export type ReadValue = (value: unknown, from: Path) => void;

/** Begins the mapping of `file`. */
export const mapping = (file: YamlFile): Mapping & { readonly source: () => Source } => {
  let tree: Tree = {};
  const warnings: string[] = [];
  const origins = new Map<string, Path>();
  const warn: Mapping["warn"] = (from, text) => void warnings.push(`${file.placeOf(from)} ${from.join(".")}: ${text}`);
  const set: Mapping["set"] = (to, value, from) => {
    tree = merge(tree, treeOf(to, value)) as Tree; // merging two trees gives a tree
    origins.set(to.join("."), from);
  };
  return {
    set,
    warn,
    section(value, from, rows) {
      if (value === null || value === undefined) return;
      if (!isTree(value)) return warn(from, "expected a section of keys; left out");
      for (const [key, inner] of Object.entries(value)) {
        const row = Object.hasOwn(rows, key) ? rows[key] : undefined;
        const near = nearest(key, Object.keys(rows));
        if (row === undefined) warn([...from, key], `unknown key, not read${near ? `; did you mean ${near}` : ""}`);
        else if (typeof row === "string") warn([...from, key], `not read: ${row}`);
        else row(inner, [...from, key]);
      }
    },
    source: () => ({
      tree,
      placeOf(path) {
        for (let length = path.length; length > 0; length -= 1) {
          const from = origins.get(path.slice(0, length).join("."));
          if (from) return file.placeOf(from);
        }
        // A section that lacks something stands where what it has does.
        for (const [to, from] of origins) if (to.startsWith(`${path.join(".")}.`)) return file.placeOf(from);
        return file.placeOf([]);
      },
      problems: file.problems,
      warnings,
    }),
  };
};

/** Seconds as milliseconds; what is no number is left for the schema to judge. */
export const seconds = (value: unknown): unknown => (typeof value === "number" ? Math.round(value * 1000) : value);
