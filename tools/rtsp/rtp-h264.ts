/** H.264 over RTP (RFC 6184, packetisation mode 1): an Annex-B file cut into access units, each ready to be sent interleaved (RFC 2326 §10.12). */

const payloadMax = 1400;
const payloadType = 96;

export type AccessUnit = {
  /** Interleaved RTP packets, one after the other; sequence number, timestamp and source are filled in by `stamp`. */
  readonly bytes: Uint8Array;
  readonly packetOffsets: readonly number[];
  readonly isKey: boolean;
};

export type H264Stream = { readonly units: readonly AccessUnit[]; readonly parameterSets: readonly Uint8Array[] };

/** The NAL units between the start codes. */
const nalUnits = (annexB: Uint8Array): Uint8Array[] => {
  const starts: number[] = [];
  for (let at = annexB.indexOf(1); at !== -1; at = annexB.indexOf(1, at + 1)) {
    if (at >= 2 && annexB[at - 1] === 0 && annexB[at - 2] === 0) starts.push(at + 1);
  }
  return starts.map((start, which) => {
    let end = which + 1 < starts.length ? (starts[which + 1] ?? 0) - 3 : annexB.length;
    while (end > start && annexB[end - 1] === 0) end--;
    return annexB.subarray(start, end);
  });
};

const typeOf = (nal: Uint8Array): number => (nal[0] ?? 0) & 0x1f;
const isPicture = (nal: Uint8Array): boolean => typeOf(nal) === 1 || typeOf(nal) === 5;
/** `first_mb_in_slice` is 0, coded as a single 1 bit. */
const startsPicture = (nal: Uint8Array): boolean => isPicture(nal) && ((nal[1] ?? 0) & 0x80) !== 0;

/** Fragments of one NAL unit: itself when it is small, else FU-A. */
const fragments = (nal: Uint8Array): Uint8Array[] => {
  if (nal.length <= payloadMax) return [nal];
  const header = nal[0] ?? 0;
  const parts: Uint8Array[] = [];
  for (let at = 1; at < nal.length; at += payloadMax - 2) {
    const body = nal.subarray(at, at + payloadMax - 2);
    const part = new Uint8Array(body.length + 2);
    part[0] = (header & 0xe0) | 28;
    part[1] = (at === 1 ? 0x80 : 0) | (at + body.length >= nal.length ? 0x40 : 0) | (header & 0x1f);
    part.set(body, 2);
    parts.push(part);
  }
  return parts;
};

const packetize = (nals: readonly Uint8Array[]): AccessUnit => {
  const payloads = nals.flatMap(fragments);
  const bytes = new Uint8Array(payloads.reduce((sum, { length }) => sum + 16 + length, 0));
  const view = new DataView(bytes.buffer);
  const packetOffsets: number[] = [];
  let at = 0;
  payloads.forEach((payload, which) => {
    packetOffsets.push(at);
    view.setUint8(at, 0x24); // interleaved frame, channel 0
    view.setUint16(at + 2, 12 + payload.length);
    view.setUint8(at + 4, 0x80);
    view.setUint8(at + 5, payloadType | (which === payloads.length - 1 ? 0x80 : 0)); // the marker ends the picture
    bytes.set(payload, at + 16);
    at += 16 + payload.length;
  });
  return { bytes, packetOffsets, isKey: nals.some((nal) => typeOf(nal) === 5) };
};

export const readH264 = (annexB: Uint8Array): H264Stream => {
  const groups: Uint8Array[][] = [];
  let group: Uint8Array[] = [];
  for (const nal of nalUnits(annexB)) {
    const opens = startsPicture(nal) || (!isPicture(nal) && typeOf(nal) >= 6 && typeOf(nal) <= 9);
    if (opens && group.some(isPicture)) {
      groups.push(group);
      group = [];
    }
    group.push(nal);
  }
  if (group.some(isPicture)) groups.push(group);
  const first = groups[0] ?? [];
  return {
    units: groups.map(packetize),
    parameterSets: [7, 8].flatMap((type) => first.find((nal) => typeOf(nal) === type) ?? []),
  };
};

/** Fills in what differs from client to client; returns the next sequence number. */
export const stamp = (unit: AccessUnit, sequence: number, timestamp: number, source: number): number => {
  const view = new DataView(unit.bytes.buffer);
  let next = sequence;
  for (const offset of unit.packetOffsets) {
    view.setUint16(offset + 6, next & 0xffff);
    view.setUint32(offset + 8, timestamp >>> 0);
    view.setUint32(offset + 12, source);
    next = (next + 1) & 0xffff;
  }
  return next;
};
