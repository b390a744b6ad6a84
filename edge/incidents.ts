/** The incidents as the store has them, newest first, with what people said of them. */
import { decode, encode } from "@msgpack/msgpack";
import { z } from "zod";
import { createCodec } from "../protocols/codec.ts";
import { Acknowledgement, Incident, incidentFacts, incidentRecordId } from "../protocols/incident.ts";
import { topics } from "../protocols/topics.ts";
import type { Bus } from "../runtime/bus.ts";
import { type Random, traceId } from "../runtime/random.ts";
import type { Store } from "../runtime/store.ts";

export type Page = { readonly items: readonly Incident[] /** Where the next page begins. */; readonly next: string | null };

export type Incidents = {
  readonly get: (id: string) => Promise<Incident | null>;
  /** Those that `wants`, opened at `sinceMs` or later, at most `limit`. A page may be short and still have a next one. */
  readonly list: (
    wants: (incident: Incident) => boolean,
    page: { readonly sinceMs: number; readonly limit: number; readonly after: string | null },
  ) => Promise<Page>;
  /** Durable when it resolves; viewers are told. */
  readonly acknowledge: (incident: Incident, ack: Acknowledgement) => Promise<Incident>;
};

const batch = 200;
/** Looked at for one page, whatever is wanted of them. */
const scannedMax = 5_000;

const readAs = <T>(schema: z.ZodType<T>, bytes: Uint8Array): T | null => {
  try {
    return schema.parse(decode(bytes));
  } catch {
    return null; // a fact of another shape tells nothing here
  }
};

export const createIncidents = ({
  store,
  bus,
  random,
}: {
  readonly store: Store;
  readonly bus: Bus;
  readonly random: Random;
}): Incidents => {
  const codec = createCodec([Incident]);

  const read = async (bytes: Uint8Array): Promise<Incident | null> => {
    const fields = readAs(Incident.schema, bytes);
    if (!fields) return null;
    const said = await store.get(incidentFacts.ack(fields.id));
    const ack = said && readAs(Acknowledgement, said);
    return { type: "incident", ...fields, ...(ack ? { ack } : {}) };
  };

  return {
    async get(id) {
      const place = await store.get(incidentFacts.place(id));
      const key = place && readAs(z.string(), place);
      const bytes = key ? await store.get(key) : null;
      return bytes && (await read(bytes));
    },

    async list(wants, { sinceMs, limit, after }) {
      const items: Incident[] = [];
      let key = after === null ? undefined : `${incidentFacts.all}${after}`;
      for (let scanned = 0; scanned < scannedMax; scanned += batch) {
        const found = await store.list(incidentFacts.all, batch, key);
        const incidents = await Promise.all(found.map(({ bytes }) => read(bytes)));
        for (const [index, incident] of incidents.entries()) {
          key = found[index]?.key ?? key;
          if (!incident) continue;
          if (incident.openedAt < sinceMs) return { items, next: null };
          if (wants(incident)) items.push(incident);
          if (items.length === limit) return { items, next: key?.slice(incidentFacts.all.length) ?? null };
        }
        if (found.length === 0) return { items, next: null };
      }
      return { items, next: key?.slice(incidentFacts.all.length) ?? null };
    },

    async acknowledge(incident, ack) {
      const told: Incident = { ...incident, ack };
      await store.put([
        { key: incidentFacts.ack(incident.id), bytes: encode(ack, { ignoreUndefined: true }), ttlMs: incidentFacts.ttlMs },
      ]);
      const { name, keyOf } = topics.incidents;
      await bus.append([
        {
          topic: name,
          key: keyOf(told),
          id: incidentRecordId(told),
          type: told.type,
          trace: traceId(random),
          bytes: codec.encode(told),
        },
      ]);
      return told;
    },
  };
};
