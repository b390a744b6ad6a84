/**
 * Secrets: the configuration names the variable or the file that holds one, never its value, so that printing the
 * configuration is always safe. Here too: what a secret looks like, for refusing it in a printable place and for masking logs.
 */
import { z } from "zod";

/** Fields of whatever needs a secret. Exactly one of `env` and `file` is given. */
export const secretFields = {
  env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "expected the name of an environment variable, not a value")
    .optional()
    .describe("Environment variable that holds it"),
  file: z.string().min(1).max(4096).optional().describe("File that holds it, alone in its first line"),
  entry: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe("Where it stands within `file`, when that is a seed's: the id of a key, or keys of sections with / between"),
};
export type SecretPlace = {
  readonly env?: string | undefined;
  readonly file?: string | undefined;
  readonly entry?: string | undefined;
};

export const hasOnePlace = (place: SecretPlace): boolean => (place.env === undefined) !== (place.file === undefined);
export const onePlace = "expected either env: NAME or file: PATH, which says where the secret is kept";
export const SecretReference = z.strictObject(secretFields).refine(hasOnePlace, onePlace);

/** Names a place for people: `variable OPS_TOKEN`, `file keys/ops`. */
export const placeName = (place: SecretPlace): string =>
  place.env === undefined ? `file ${place.file}${place.entry ? ` (${place.entry})` : ""}` : `variable ${place.env}`;

/** A key that asks for a secret's value. */
const secretName =
  /^(.*[-_. ])?(api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|pass(word|wd|phrase)|secret|token|authorization|cookie|credentials?)$/i;
export const isSecretName = (name: string): boolean => secretName.test(name.replace(/([a-z])([A-Z])/g, "$1_$2"));

const shapes: readonly [RegExp, string][] = [
  // Provider keys: OpenAI, DashScope, Anthropic; GitHub; Slack; AWS.
  [/\bsk-[\w-]{6,}/g, "sk-***"],
  [/\b(?:gh[opsu]_|github_pat_|xox[abprs]-|glpat-)[\w-]{10,}/g, "***"],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, "***"],
  // JSON Web Tokens.
  [/\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*/g, "***"],
  // A digit or = tells a credential from prose such as "basic authentication".
  [/\b(Bearer|Basic)\s+(?=\S*[\d=])[\w.~+/=-]{6,}/gi, "$1 ***"],
  // The password of a URL; the last @ before the path ends it, since people leave @ in passwords unescaped.
  [/\b([a-z][a-z0-9+.-]*:\/\/)([^\s:/@?#]*):([^\s/?#]+)@/gi, "$1***:***@"],
  [
    /\b(api[-_]?key|access[-_]?token|token|password|passwd|secret|signature|authorization)(["']?\s*[=:]\s*["']?)(?!(?:Bearer|Basic)\b)[^\s"'&,;}]{4,}/gi,
    "$1$2***",
  ],
];

/** The text with whatever looks like a secret replaced. */
export const maskSecrets = (text: string): string => {
  let masked = text;
  for (const [shape, instead] of shapes) masked = masked.replace(shape, instead);
  return masked;
};

export const looksSecret = (text: string): boolean => maskSecrets(text) !== text;
