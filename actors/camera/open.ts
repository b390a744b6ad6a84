/** Which source opens an address: the simulated scenes by their scheme, everything else by the media source. */
import { schemeOf } from "./address.ts";
import type { OpenSource } from "./source.ts";

export type SourceTable = { readonly "sim:": OpenSource; readonly "*": OpenSource };

export const openSourceBy =
  (table: SourceTable): OpenSource =>
  (settings, ports, events) => {
    const open = schemeOf(settings.url) === "sim:" ? table["sim:"] : table["*"];
    return open(settings, ports, events);
  };
