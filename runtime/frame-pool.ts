/**
 * Frames in shared memory. Pixels never travel: messages carry a lease, and the runtime releases it when the last
 * message that holds it is done. A slot holds the source picture and the letterboxed model input.
 */

export type Lease = { readonly slot: number; readonly generation: number };

export type FramePoolLayout = {
  readonly slots: number;
  /** Bytes of the picture area: up to `pictureWidthMax` × `pictureHeightMax` × 3, RGB, rows without padding. */
  readonly pictureBytes: number;
  /** Bytes of the model input area: inputSize × inputSize × 3, RGB, letterboxed with 114. */
  readonly inputBytes: number;
  readonly inputSize: number;
};

/** Where the picture lies in its slot, and how the original frame was fitted into the model input. */
export type SlotHeader = {
  readonly pictureWidth: number;
  readonly pictureHeight: number;
  /** Model input pixels per original pixel; the image starts at the input's top left corner. */
  readonly inputScale: number;
};

export type FramePool = {
  readonly layout: FramePoolLayout;
  readonly buffer: SharedArrayBuffer;
  /** A free slot with one holder, or null when there is none. */
  readonly acquire: () => Lease | null;
  /** One more holder. A lease that is no longer current is ignored. */
  readonly retain: (lease: Lease) => void;
  /** One holder less; the slot is free at none. A lease of a former generation is ignored. */
  readonly release: (lease: Lease) => void;
  readonly isCurrent: (lease: Lease) => boolean;
  /** The whole picture area; the header says how much of it is the picture. Throws when the lease is not current, as the next two do. */
  readonly picture: (lease: Lease) => Uint8Array;
  readonly input: (lease: Lease) => Uint8Array;
  readonly header: (lease: Lease) => SlotHeader;
  readonly setHeader: (lease: Lease, header: SlotHeader) => void;
  /**
   * Takes a slot out of use while outside code may still write to it; `restore` frees it. The lease ends for every
   * holder at once: what they still release is ignored.
   */
  readonly quarantine: (lease: Lease) => void;
  readonly restore: (lease: Lease) => void;
  readonly stats: () => { readonly free: number; readonly held: number; readonly quarantined: number };
};

/** What a Worker needs of a pool: to look, not to own. */
export type FrameViews = Pick<FramePool, "layout" | "buffer" | "isCurrent" | "picture" | "input" | "header">;

export const pictureWidthMax = 1280;
export const pictureHeightMax = 720;

/** The usual layout: any picture whose pixels fit into 1280 × 720 and that is no wider than 1280. */
export const framePoolLayout = (slots: number, inputSize: number): FramePoolLayout => ({
  slots,
  pictureBytes: pictureWidthMax * pictureHeightMax * 3,
  inputBytes: inputSize * inputSize * 3,
  inputSize,
});

/*
 * Memory: one header of 32 bytes a slot, then the slots. The first word of a header is the state: 24 bits of
 * generation above 8 bits of holders, in one word so that one compare-and-swap changes both.
 */
const headerBytes = 32;
const headerWords = headerBytes / 4;
const scalePlace = 2; // in doubles: bytes 16 to 23
const holdersMax = 254;
const quarantined = 255;
// SIMD scalers may write a few bytes past the end of an area's last row.
const slackBytes = 64;

const areaBytes = (contentBytes: number): number => Math.ceil((contentBytes + slackBytes) / 64) * 64;
const stateOf = (generation: number, holders: number): number => (generation << 8) | holders | 0;
const generationOf = (state: number): number => state >>> 8;
const holdersOf = (state: number): number => state & 0xff;
const generationAfter = (generation: number): number => (generation + 1) & 0xff_ffff;

const sizeOf = (layout: FramePoolLayout): number =>
  layout.slots * (headerBytes + areaBytes(layout.pictureBytes) + areaBytes(layout.inputBytes)) + 64;

type Memory = FrameViews & {
  readonly words: Int32Array;
  readonly wordOf: (slot: number) => number;
  readonly doubles: Float64Array;
};

const mapMemory = (buffer: SharedArrayBuffer, layout: FramePoolLayout): Memory => {
  if (buffer.byteLength < sizeOf(layout)) {
    throw new Error(`the frame pool's buffer has ${buffer.byteLength} bytes, its layout needs ${sizeOf(layout)}`);
  }
  const words = new Int32Array(buffer, 0, layout.slots * headerWords);
  const doubles = new Float64Array(buffer, 0, (layout.slots * headerBytes) / 8);
  const pictureArea = areaBytes(layout.pictureBytes);
  const slotBytes = pictureArea + areaBytes(layout.inputBytes);
  const firstSlot = Math.ceil((layout.slots * headerBytes) / 64) * 64;
  const wordOf = (slot: number): number => slot * headerWords;

  const isCurrent = ({ slot, generation }: Lease): boolean => {
    if (!(slot >= 0 && slot < layout.slots)) return false;
    const state = Atomics.load(words, wordOf(slot));
    const holders = holdersOf(state);
    return generationOf(state) === generation && holders > 0 && holders !== quarantined;
  };
  const current = (lease: Lease): number => {
    if (isCurrent(lease)) return lease.slot;
    throw new Error(`frame slot ${lease.slot} is no longer held by generation ${lease.generation}`);
  };

  return {
    layout,
    buffer,
    words,
    doubles,
    wordOf,
    isCurrent,
    picture: (lease) => new Uint8Array(buffer, firstSlot + current(lease) * slotBytes, layout.pictureBytes),
    input: (lease) => new Uint8Array(buffer, firstSlot + current(lease) * slotBytes + pictureArea, layout.inputBytes),
    header(lease) {
      const word = wordOf(current(lease));
      return {
        pictureWidth: words[word + 1] ?? 0,
        pictureHeight: words[word + 2] ?? 0,
        inputScale: doubles[word / 2 + scalePlace] ?? 0,
      };
    },
  };
};

/** Views of a pool that another thread owns. */
export const attachFramePool = (buffer: SharedArrayBuffer, layout: FramePoolLayout): FrameViews => {
  const { isCurrent, picture, input, header } = mapMemory(buffer, layout);
  return { layout, buffer, isCurrent, picture, input, header };
};

/** Makes a pool with every slot free. The lowest free slot is given out first, so that rarely needed slots stay untouched memory. */
export const createFramePool = (layout: FramePoolLayout): FramePool => {
  const buffer = new SharedArrayBuffer(sizeOf(layout));
  const { words, doubles, wordOf, isCurrent, picture, input, header } = mapMemory(buffer, layout);

  /** Replaces the state of the lease's slot by what `next` makes of its holders; null leaves it. */
  const change = (lease: Lease, next: (holders: number) => number | null): void => {
    if (!(lease.slot >= 0 && lease.slot < layout.slots)) return;
    const word = wordOf(lease.slot);
    for (;;) {
      const state = Atomics.load(words, word);
      if (generationOf(state) !== lease.generation) return;
      const after = next(holdersOf(state));
      if (after === null || Atomics.compareExchange(words, word, state, after) === state) return;
    }
  };
  const freed = (lease: Lease): number => stateOf(generationAfter(lease.generation), 0);

  return {
    layout,
    buffer,
    isCurrent,
    picture,
    input,
    header,
    acquire() {
      for (let slot = 0; slot < layout.slots; slot++) {
        const word = wordOf(slot);
        const state = Atomics.load(words, word);
        if (holdersOf(state) !== 0) continue;
        const generation = generationOf(state);
        if (Atomics.compareExchange(words, word, state, stateOf(generation, 1)) === state) return { slot, generation };
      }
      return null;
    },
    retain: (lease) =>
      change(lease, (holders) => {
        if (holders === 0 || holders === quarantined) return null;
        if (holders === holdersMax) throw new Error(`frame slot ${lease.slot} has ${holdersMax} holders, the most it can have`);
        return stateOf(lease.generation, holders + 1);
      }),
    release: (lease) =>
      change(lease, (holders) => {
        if (holders === 0 || holders === quarantined) return null;
        return holders === 1 ? freed(lease) : stateOf(lease.generation, holders - 1);
      }),
    setHeader(lease, { pictureWidth, pictureHeight, inputScale }) {
      if (!isCurrent(lease)) throw new Error(`frame slot ${lease.slot} is no longer held by generation ${lease.generation}`);
      const word = wordOf(lease.slot);
      words[word + 1] = pictureWidth;
      words[word + 2] = pictureHeight;
      doubles[word / 2 + scalePlace] = inputScale;
    },
    quarantine: (lease) =>
      change(lease, (holders) => (holders === 0 || holders === quarantined ? null : stateOf(lease.generation, quarantined))),
    restore: (lease) => change(lease, (holders) => (holders === quarantined ? freed(lease) : null)),
    stats() {
      let free = 0;
      let aside = 0;
      for (let slot = 0; slot < layout.slots; slot++) {
        const holders = holdersOf(Atomics.load(words, wordOf(slot)));
        if (holders === 0) free++;
        else if (holders === quarantined) aside++;
      }
      return { free, held: layout.slots - free - aside, quarantined: aside };
    },
  };
};
