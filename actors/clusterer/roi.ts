/** Regions of interest: polygons with corners normalised to 0–1 of the frame. */
import type { Box } from "../../protocols/ids.ts";

export type Polygon = readonly (readonly [number, number])[];

/** The even-odd rule; a point on an edge may fall on either side. */
export const isInside = (polygon: Polygon, x: number, y: number): boolean => {
  let inside = false;
  let [previousX, previousY] = polygon.at(-1) ?? [0, 0];
  for (const [cornerX, cornerY] of polygon) {
    const crosses = cornerY > y !== previousY > y;
    if (crosses && x < ((previousX - cornerX) * (y - cornerY)) / (previousY - cornerY) + cornerX) inside = !inside;
    previousX = cornerX;
    previousY = cornerY;
  }
  return inside;
};

/** Whether the centre of the box lies in one of the polygons. Without polygons everything is of interest. */
export const isOfInterest = (polygons: readonly Polygon[], box: Box, imageWidth: number, imageHeight: number): boolean => {
  if (polygons.length === 0) return true;
  const x = (box[0] + box[2]) / 2 / imageWidth;
  const y = (box[1] + box[3]) / 2 / imageHeight;
  return polygons.some((polygon) => isInside(polygon, x, y));
};
