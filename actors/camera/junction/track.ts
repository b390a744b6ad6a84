/** A way on the ground, sampled every half metre, so that a place on it is one interpolation. Metres, radians. */

export type Point = { x: number; y: number };

export type Track = {
  readonly lengthM: number;
  readonly xs: Float64Array;
  readonly ys: Float64Array;
};

export type TrackPiece =
  | { readonly kind: "line"; readonly from: Point; readonly to: Point }
  /** `sweep` is positive to the left. */
  | { readonly kind: "arc"; readonly centre: Point; readonly radiusM: number; readonly start: number; readonly sweep: number };

const spacingM = 0.5;

export const pieceLength = (piece: TrackPiece): number =>
  piece.kind === "line"
    ? Math.hypot(piece.to.x - piece.from.x, piece.to.y - piece.from.y)
    : Math.abs(piece.sweep) * piece.radiusM;

const pointOn = (piece: TrackPiece, alongM: number): Point => {
  const part = alongM / pieceLength(piece);
  if (piece.kind === "line") {
    return {
      x: piece.from.x + (piece.to.x - piece.from.x) * part,
      y: piece.from.y + (piece.to.y - piece.from.y) * part,
    };
  }
  const angle = piece.start + piece.sweep * part;
  return { x: piece.centre.x + piece.radiusM * Math.cos(angle), y: piece.centre.y + piece.radiusM * Math.sin(angle) };
};

/** Joins pieces that touch end to end. */
export const track = (pieces: readonly TrackPiece[]): Track => {
  const lengthM = pieces.reduce((sum, piece) => sum + pieceLength(piece), 0);
  const count = Math.ceil(lengthM / spacingM) + 1;
  const xs = new Float64Array(count);
  const ys = new Float64Array(count);
  let startM = 0;
  let place = 0;
  for (let index = 0; index < count; index++) {
    let piece = pieces[place];
    while (piece && place < pieces.length - 1 && index * spacingM > startM + pieceLength(piece)) {
      startM += pieceLength(piece);
      piece = pieces[++place];
    }
    if (!piece) throw new Error("a track needs a piece");
    // The last sample may lie up to half a metre past the end: the last piece goes on.
    const point = pointOn(piece, index * spacingM - startM);
    xs[index] = point.x;
    ys[index] = point.y;
  }
  return { lengthM, xs, ys };
};

/** The point at `alongM`; before the start and past the end the track goes on straight. */
export const pointAt = (way: Track, alongM: number, out: Point): Point => {
  const last = way.xs.length - 2;
  const index = Math.max(0, Math.min(last, Math.floor(alongM / spacingM)));
  const part = alongM / spacingM - index;
  const x0 = way.xs[index] ?? 0;
  const y0 = way.ys[index] ?? 0;
  out.x = x0 + ((way.xs[index + 1] ?? 0) - x0) * part;
  out.y = y0 + ((way.ys[index + 1] ?? 0) - y0) * part;
  return out;
};
