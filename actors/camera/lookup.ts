/** The lookups that `address.ts` asks for, by this machine's resolver and file system. */
import { lookup } from "node:dns/promises";
import { realpath, stat } from "node:fs/promises";
import type { AddressPorts } from "./address.ts";

export const systemLookups: AddressPorts = {
  lookup: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  async realpath(path) {
    try {
      const real = await realpath(path);
      return { path: real, isFile: (await stat(real)).isFile() };
    } catch {
      return null; // not there, or not for us to see: the same to the caller
    }
  },
};
