/** How a group stands: density, spacing, and how near people are to vehicles. */
import type { Spatial } from "../../protocols/detection.ts";
import type { Box } from "../../protocols/ids.ts";
import { isPedestrian, isVehicle } from "../../protocols/road-user.ts";

type Member = { readonly class: string; readonly bbox: Box };

/** Density is in members per so many square pixels. */
const DENSITY_AREA_PX2 = 10_000;

export const spatialOf = (members: readonly Member[], bbox: Box): Spatial => {
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
      if (isMixed(a.class, b.class)) leastMixed = Math.min(leastMixed, distance);
    }
  });
  const spatial: Spatial = {
    density: (members.length / area) * DENSITY_AREA_PX2,
    avgSpacing: pairs > 0 ? total / pairs : 0,
    minSpacing: pairs > 0 ? least : 0,
    vehicles: members.filter((member) => isVehicle(member.class)).length,
    pedestrians: members.filter((member) => isPedestrian(member.class)).length,
  };
  if (leastMixed < Number.POSITIVE_INFINITY) spatial.pedVehicleMinDist = leastMixed;
  return spatial;
};

const centreDistance = (a: Box, b: Box): number => Math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2;

const isMixed = (a: string, b: string): boolean => (isPedestrian(a) && isVehicle(b)) || (isPedestrian(b) && isVehicle(a));
