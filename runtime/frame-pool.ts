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
  /** One more holder. */
  readonly retain: (lease: Lease) => void;
  /** One holder less; the slot is free at none. A lease of a former generation is ignored. */
  readonly release: (lease: Lease) => void;
  readonly isCurrent: (lease: Lease) => boolean;
  readonly picture: (lease: Lease) => Uint8Array;
  readonly input: (lease: Lease) => Uint8Array;
  readonly header: (lease: Lease) => SlotHeader;
  readonly setHeader: (lease: Lease, header: SlotHeader) => void;
  /** Takes a slot out of use while outside code may still write to it; `restore` frees it. */
  readonly quarantine: (lease: Lease) => void;
  readonly restore: (lease: Lease) => void;
  readonly stats: () => { readonly free: number; readonly held: number; readonly quarantined: number };
};
