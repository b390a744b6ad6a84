/** A field's name on the wire, known beforehand: its bytes, and the same as the widest words that a view moves at once. */

const textEncoder = new TextEncoder();

/** Head and name. Names have at most 31 letters of ASCII, so the head is one byte. */
export const keyBytesOf = (key: string): Uint8Array => new Uint8Array([0xa0 | key.length, ...textEncoder.encode(key)]);

export type Word = { readonly at: number; readonly size: 1 | 2 | 4; readonly value: number };

/** Words of four bytes are signed: an engine keeps them in a register as they are. */
export const wordsOf = (bytes: Uint8Array): Word[] => {
  const view = new DataView(bytes.buffer);
  const words: Word[] = [];
  for (let at = 0; at < bytes.length; ) {
    const left = bytes.length - at;
    const size = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const value = size === 4 ? view.getInt32(at) : size === 2 ? view.getUint16(at) : view.getUint8(at);
    words.push({ at, size, value });
    at += size;
  }
  return words;
};
