/** Whether a value can stand where a sample stands: each field of the sample, of the same kind; further fields are free. */
const kindOf = (value: unknown): string => {
  if (value === null) return "null";
  return Array.isArray(value) ? "list" : typeof value;
};

/** Where `value` differs in kind from `sample`; empty when it does not. A null in the sample says nothing of the kind. */
export const differences = (value: unknown, sample: unknown, path = ""): string[] => {
  if (sample === null) return value === undefined ? [`${path} is missing`] : [];
  if (kindOf(value) !== kindOf(sample)) return [`${path || "it"} is ${kindOf(value)}, not ${kindOf(sample)}`];
  if (Array.isArray(sample) && Array.isArray(value))
    return sample.length === 0 || value.length === 0
      ? []
      : value.flatMap((item, at) => differences(item, sample[0], `${path}[${at}]`));
  if (typeof sample !== "object") return [];
  const fields = value as Readonly<Record<string, unknown>>; // of the same kind as the sample
  return Object.entries(sample).flatMap(([key, inner]) => differences(fields[key], inner, path ? `${path}.${key}` : key));
};
