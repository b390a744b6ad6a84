/** How a group stands: density, spacing, and how near people are to vehicles. */
import type { Spatial } from "../../protocols/detection.ts";
import type { Box } from "../../protocols/ids.ts";
import { isPedestrian, isVehicle } from "../../protocols/road-user.ts";

type Member = { readonly class: string; readonly bbox: Box };

/** Density is in members per so many square pixels. */
const DENSITY_AREA_PX2 = 10_000;

export const spatialOf = (members: readonly Member[], bbox: Box): Spatial => {
  const kinds = members.map((member) => kindOf(member.class));
  const area = Math.max(bbox[2] - bbox[0], 1) * Math.max(bbox[3] - bbox[1], 1);
  let total = 0;
  let pairs = 0;
  let least = Number.POSITIVE_INFINITY;
  let leastMixed = Number.POSITIVE_INFINITY;
  members.forEach((a, index) => {
    for (let other = index + 1; other < members.length; other++) {
      const b = members[other];
      if (!b) continue;
      const distance = centreDistance(a.bbox, b.bbox);
      total += distance;
      pairs += 1;
      least = Math.min(least, distance);
      if ((kinds[index] ?? 0) * (kinds[other] ?? 0) < 0) leastMixed = Math.min(leastMixed, distance);
    }
  });
  const spatial: Spatial = {
    density: (members.length / area) * DENSITY_AREA_PX2,
    avgSpacing: pairs > 0 ? total / pairs : 0,
    minSpacing: pairs > 0 ? least : 0,
    vehicles: kinds.filter((kind) => kind > 0).length,
    pedestrians: kinds.filter((kind) => kind < 0).length,
  };
  if (leastMixed < Number.POSITIVE_INFINITY) spatial.pedVehicleMinDist = leastMixed;
  return spatial;
};

const centreDistance = (a: Box, b: Box): number => {
  const [dx, dy] = [a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]];
  return Math.sqrt(dx * dx + dy * dy) / 2;
};

/** Of a vehicle and a person the product is negative. */
const kindOf = (className: string): 1 | -1 | 0 => (isVehicle(className) ? 1 : isPedestrian(className) ? -1 : 0);
