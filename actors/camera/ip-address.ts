/** What an IP address reaches, as far as it decides whether a camera may be there. */

type Bytes = readonly number[];

const v4 = (text: string): Bytes | null => {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return null;
  return parts.map(Number);
};

/** The eight groups of an IPv6 address (RFC 4291), with or without `::`, a zone or an embedded IPv4 address. */
const v6 = (text: string): Bytes | null => {
  const plain = text.replace(/%.*$/, "").replace(/(\d+\.\d+\.\d+\.\d+)$/, (dotted) => {
    const [a = 0, b = 0, c = 0, d = 0] = v4(dotted) ?? [];
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const halves = plain.split("::");
  const groups = (half: string | undefined): string[] => (half ? half.split(":") : []);
  const left = groups(halves[0]);
  const right = groups(halves[1]);
  const missing = 8 - left.length - right.length;
  if (halves.length > 2 || missing < 0 || (halves.length === 1 && missing !== 0)) return null;
  const all = [...left, ...new Array<string>(missing).fill("0"), ...right];
  return all.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) ? all.map((group) => Number.parseInt(group, 16)) : null;
};

/** The IPv4 address inside ::ffff:0:0/96 (mapped), ::/96 (compatible) and 64:ff9b::/96 (translated). */
const embeddedV4 = (groups: Bytes): Bytes | null => {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, high = 0, low = 0] = groups;
  const isZero = a === 0 && b === 0 && c === 0 && d === 0 && e === 0;
  const isMapped = isZero && (f === 0xffff || (f === 0 && (high !== 0 || low > 1)));
  const isTranslated = a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0;
  return isMapped || isTranslated ? [high >> 8, high & 0xff, low >> 8, low & 0xff] : null;
};

type Address = { readonly v4: Bytes | null; readonly v6: Bytes | null };

const parse = (text: string): Address => {
  const four = v4(text);
  if (four) return { v4: four, v6: null };
  const six = v6(text);
  return { v4: six && embeddedV4(six), v6: six };
};

/** This machine: 127/8, 0/8 (which connects to it), ::1 and ::. */
export const isLoopback = (text: string): boolean => {
  const address = parse(text);
  if (address.v4) return address.v4[0] === 127 || address.v4[0] === 0;
  return address.v6?.every((group, at) => (at < 7 ? group === 0 : group <= 1)) ?? false;
};

/** Link-local, cloud metadata, multicast and broadcast, and what is no address at all. */
export const isHeldBack = (text: string): boolean => {
  const address = parse(text);
  if (address.v4) {
    const [a = 0, b = 0] = address.v4;
    return (a === 169 && b === 254) || a >= 224 || address.v4.join(".") === "100.100.100.200";
  }
  if (!address.v6) return true;
  const [first = 0] = address.v6;
  const isAwsMetadata = address.v6.join(":") === [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254].join(":");
  return (first & 0xffc0) === 0xfe80 || (first & 0xff00) === 0xff00 || isAwsMetadata;
};
