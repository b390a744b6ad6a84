/** Records that were set aside, newest first. */
import { createRoute, z } from "@hono/zod-openapi";
import { DeadLetter, deadLettersOf } from "../../protocols/dead-letter.ts";
import { topics } from "../../protocols/topics.ts";
import type { Bus, BusRecord } from "../../runtime/bus.ts";
import { Fault } from "../../runtime/errors.ts";
import { mayUseCamera, requireRole } from "../auth.ts";
import { readLetter, replayOf } from "../dead-letters.ts";
import type { EdgePorts } from "../ports.ts";
import { createRoutes, type EdgeApp, json, problems } from "./routing.ts";

const worked = [topics.detections, topics.tasks, topics.results] as const;
const names = worked.map(({ name }) => name);
const { disposition: Disposition } = DeadLetter.schema.shape;

const Letter = z.object({ partition: z.int().min(0), offset: z.int().min(0) });
const lettersMax = 100;

const Item = z
  .object({
    ...DeadLetter.schema.omit({ value: true }).shape,
    at: z.int().describe("When it was set aside, epoch ms"),
    bytes: z.int().describe("Size of the record"),
    letter: Letter.describe("The letter's own place, by which it is put back"),
  })
  .openapi("DeadLetter");
type Item = z.infer<typeof Item>;

/** Where a letter stands among all, newest first: the page after it begins there. */
type Key = readonly [at: number, topic: number, partition: number, offset: number];
type Found = { readonly key: Key; readonly item: Item };

const isAfter = (one: Key, other: Key): boolean => {
  const at = one.findIndex((part, index) => part !== other[index]);
  return at >= 0 && (one[at] ?? 0) < (other[at] ?? 0);
};

const formatKey = (key: Key): string => key.map((part) => part.toString(36)).join(".");
const parseKey = (text: string): Key => {
  const [at = Number.NaN, topic = Number.NaN, partition = Number.NaN, offset = Number.NaN, ...rest] = text
    .split(".")
    .map((part) => (/^[0-9a-z]{1,11}$/.test(part) ? Number.parseInt(part, 36) : Number.NaN));
  const key: Key = [at, topic, partition, offset];
  if (rest.length > 0 || key.some(Number.isNaN))
    throw new Fault("invalid_field", "after: expected what `next` said", { details: { field: "after" } });
  return key;
};

const itemOf = (record: BusRecord, topic: number): Found | null => {
  const found = readLetter(record);
  if (!found) return null;
  const { type: _, value, ...fields } = found;
  const { appendedAtMs: at, partition, offset } = record;
  return { key: [at, topic, partition, offset], item: { ...fields, at, bytes: value.byteLength, letter: { partition, offset } } };
};

const batch = 200;

/** The newest letters of one partition that `wants`, at most `limit`. */
const readBack = async (
  bus: Bus,
  name: string,
  { partition, oldest, next }: { readonly partition: number; readonly oldest: number; readonly next: number },
  limit: number,
  read: (record: BusRecord) => Found | null,
): Promise<Found[]> => {
  const found: Found[] = [];
  for (let end = next; end > oldest && found.length < limit; ) {
    const begin = Math.max(oldest, end - batch);
    for (let offset = begin; offset < end; ) {
      const records = await bus.read(name, partition, offset, end - offset);
      const last = records.at(-1);
      if (!last) break; // taken by retention meanwhile
      for (const record of records) {
        const letter = record.offset < end ? read(record) : null;
        if (letter) found.push(letter);
      }
      offset = last.offset + 1;
    }
    end = begin;
  }
  return found;
};

const list = createRoute({
  method: "get",
  path: "/api/dlq",
  tags: ["system"],
  summary: "Records that could not be processed",
  request: {
    query: z.object({
      topic: z.enum(names).optional(),
      disposition: Disposition.optional(),
      limit: z.coerce.number().int().min(1).max(1_000).default(100),
      after: z.string().max(64).optional().describe("What `next` of the page before said"),
    }),
  },
  responses: {
    200: json(z.object({ items: z.array(Item), next: z.string().optional() }), "Newest first"),
    ...problems(400, 401, 503),
  },
});

const replay = createRoute({
  method: "post",
  path: "/api/dlq/replay",
  tags: ["system"],
  summary: "Puts records back into their topic",
  description: "A letter that was put back before is not stored twice on the embedded log.",
  request: {
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({
            topic: z.enum(names),
            letters: z.array(Letter).min(1).max(lettersMax),
          }),
        },
      },
    },
  },
  responses: {
    200: json(z.object({ stored: z.int(), known: z.int().describe("Those that were put back before") }), "Put back"),
    ...problems(400, 401, 403, 404, 503),
  },
});

export const deadLetterRoutes = ({ bus }: Pick<EdgePorts, "bus">): EdgeApp => {
  const routes = createRoutes();
  routes.openapi(list, async (c) => {
    const { topic, disposition, limit, after } = c.req.valid("query");
    const principal = c.get("principal");
    const place = after === undefined ? null : parseKey(after);
    const found: Found[] = [];
    for (const [index, each] of worked.entries()) {
      if (topic !== undefined && topic !== each.name) continue;
      const { name } = deadLettersOf(each);
      const read = (record: BusRecord): Found | null => {
        const letter = itemOf(record, index);
        if (!letter || !mayUseCamera(principal, Number(letter.item.key))) return null;
        if (disposition !== undefined && letter.item.disposition !== disposition) return null;
        return place && !isAfter(letter.key, place) ? null : letter;
      };
      for (const state of await bus.states(name)) found.push(...(await readBack(bus, name, state, limit + 1, read)));
    }
    found.sort((one, other) => (isAfter(one.key, other.key) ? 1 : -1));
    const last = found[limit - 1];
    const items = found.slice(0, limit).map(({ item }) => item);
    return c.json({ items, ...(last && found.length > limit ? { next: formatKey(last.key) } : {}) }, 200);
  });

  routes.openapi(replay, async (c) => {
    const { topic, letters } = c.req.valid("json");
    const principal = c.get("principal");
    requireRole(principal, "operator");
    const found: DeadLetter[] = [];
    for (const { partition, offset } of letters) {
      const [record] = await bus.read(`${topic}.dlq`, partition, offset, 1);
      const letter = record?.offset === offset ? readLetter(record) : null;
      if (!letter || !mayUseCamera(principal, Number(letter.key)))
        throw new Fault("not_found", `there is no dead letter of ${topic} at ${partition}/${offset}`);
      found.push(letter);
    }
    const appended = await bus.append(found.map(replayOf));
    const known = appended.filter(({ duplicate }) => duplicate).length;
    return c.json({ stored: appended.length - known, known }, 200);
  });
  return routes;
};
