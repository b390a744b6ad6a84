/** Opening an address once, to see whether it works: costly, and a way into the network, hence checked and limited. */
import type { ProbeResult } from "../../actors/camera/source.ts";
import { Fault } from "../../runtime/errors.ts";

export type Probe = (url: string) => Promise<ProbeResult>;

export const limitProbe = (probe: Probe, checkAddress: (url: string) => void | Promise<void>, most = 4): Probe => {
  let running = 0;
  return async (url) => {
    if (running >= most) throw new Fault("rate_limited", `${most} addresses are being checked; try again in a moment`);
    running += 1;
    try {
      await checkAddress(url);
      return await probe(url);
    } finally {
      running -= 1;
    }
  };
};
