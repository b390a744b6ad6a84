/** Reads the report of a mutation run: what each planted fault was, and whether a test noticed. */

type Position = { readonly line: number; readonly column: number };

/** As the mutation testing report schema has it. */
export type Mutant = {
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly status: "Killed" | "Timeout" | "Survived" | "NoCoverage" | "CompileError" | "RuntimeError" | "Ignored" | "Pending";
  readonly location: { readonly start: Position; readonly end: Position };
};

export type Tally = { readonly file: string; readonly killed: number; readonly timedOut: number; readonly survived: number };

export const tallyOf = (file: string, mutants: readonly Mutant[]): Tally => {
  const count = (...wanted: readonly Mutant["status"][]) => mutants.filter(({ status }) => wanted.includes(status)).length;
  return { file, killed: count("Killed"), timedOut: count("Timeout"), survived: count("Survived", "NoCoverage") };
};

/** Per cent of the faults that were noticed; a file without faults has nothing to notice. */
export const scoreOf = (...tallies: readonly Tally[]): number => {
  const noticed = tallies.reduce((sum, { killed, timedOut }) => sum + killed + timedOut, 0);
  const all = tallies.reduce((sum, { survived }) => sum + survived, noticed);
  return all === 0 ? 100 : (100 * noticed) / all;
};

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim().slice(0, 160);

/** `file:line:column  kind: what stood there => what stood there instead`. */
export const survivorText = (
  file: string,
  { mutatorName, replacement = "", location }: Mutant,
  lines: readonly string[],
): string => {
  const { start, end } = location;
  const there = lines
    .slice(start.line - 1, end.line)
    .map((line, index, all) =>
      line.slice(index === 0 ? start.column - 1 : 0, index === all.length - 1 ? end.column - 1 : undefined),
    )
    .join(" ");
  return `${file}:${start.line}:${start.column}  ${mutatorName}: ${oneLine(there)} => ${oneLine(replacement)}`;
};
