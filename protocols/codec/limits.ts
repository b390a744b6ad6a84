/** What is taken from the wire. Hostile bytes are small and claim to be large; these claims are refused before they cost memory. */
export const limits = {
  messageBytes: 2 * 1024 * 1024,
  stringBytes: 1 << 16,
  binBytes: 1 << 20,
  arrayItems: 1 << 14,
  mapEntries: 1 << 10,
  extBytes: 64,
  depth: 32,
} as const;
