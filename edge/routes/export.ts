/** What was seen, as rows: read from the log batch by batch, at the pace of whoever takes it. */
import { createRoute, z } from "@hono/zod-openapi";
import type { DetectionResult } from "../../protocols/detection.ts";
import { topics } from "../../protocols/topics.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { mayUseCamera, type Principal } from "../auth.ts";
import { readResults, type Selection } from "../export/read.ts";
import { columns, csvLine, csvOf, rowsOf } from "../export/rows.ts";
import type { EdgePorts } from "../ports.ts";
import { createRoutes, type EdgeApp, json, problems } from "./routing.ts";
import { CamerasQuery, TimeQuery } from "./times.ts";

/** Each holds a batch of records and reads the log's file. */
const exportsMax = 4;

const query = z.object({
  cameras: CamerasQuery.optional().describe("Ids by comma; every camera that may be seen when left out"),
  from: TimeQuery.optional().describe("Of capture, included; the oldest that is kept when left out"),
  to: TimeQuery.optional().describe("Of capture, included; this moment when left out"),
});
const Row = z
  .object({
    camera: z.int(),
    frame: z.int(),
    time: z.string(),
    track: z.int(),
    class: z.string(),
    confidence: z.number(),
    box: z.array(z.number()).length(4),
    speed: z.number().optional(),
    group: z.string().nullable(),
    risk: z.string(),
  })
  .openapi("ExportRow");
const refusals = problems(400, 401, 429, 503);

const asJson = createRoute({
  method: "get",
  path: "/api/export/json",
  tags: ["export"],
  summary: "What was seen, as JSON",
  request: { query },
  responses: { 200: json(z.object({ items: z.array(Row) }), "In the order of capture, camera by camera"), ...refusals },
});
const asCsv = createRoute({
  method: "get",
  path: "/api/export/csv",
  tags: ["export"],
  summary: "What was seen, as CSV",
  request: { query },
  responses: { 200: { description: "RFC 4180", content: { "text/csv": { schema: { type: "string" } } } }, ...refusals },
});

type Shape = {
  readonly head: string;
  /** `isFirst` while nothing was written yet. */
  readonly body: (results: readonly DetectionResult[], isFirst: boolean) => string;
  readonly tail: string;
};

const jsonShape: Shape = {
  head: '{"items":[\n',
  body(results, isFirst) {
    const rows = results.flatMap(rowsOf).map((row) => JSON.stringify(row));
    return rows.length === 0 ? "" : `${isFirst ? "" : ",\n"}${rows.join(",\n")}`;
  },
  tail: "\n]}\n",
};
const csvShape: Shape = {
  head: csvLine(columns),
  body: (results) => results.flatMap(rowsOf).map(csvOf).join(""),
  tail: "",
};

export const exportRoutes = ({ bus, clock, log }: Pick<EdgePorts, "bus" | "clock" | "log">): EdgeApp => {
  const routes = createRoutes();
  const open = new Set<symbol>();

  const stream = (selection: Selection, { head, body, tail }: Shape): ReadableStream<Uint8Array> => {
    const batches = readResults(bus, selection);
    const encoder = new TextEncoder();
    const mark = Symbol("export");
    open.add(mark);
    let isFirst = true;
    return new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(encoder.encode(head)),
      async pull(controller) {
        try {
          const { done, value } = await batches.next();
          if (!open.has(mark)) return; // broken off while the log was read
          if (done) {
            open.delete(mark);
            if (tail !== "") controller.enqueue(encoder.encode(tail));
            return controller.close();
          }
          const text = body(value, isFirst);
          if (text !== "") isFirst = false;
          // An empty chunk tells the stream to ask again.
          controller.enqueue(encoder.encode(text));
        } catch (thrown) {
          open.delete(mark);
          log.warn("request.failed", { path: "/api/export", reason: reasonOf(thrown) });
          controller.error(thrown); // the head is sent: only a broken end can say that it is not whole
        }
      },
      async cancel() {
        open.delete(mark);
        await batches.return(undefined);
      },
    });
  };

  const select = async ({ cameras, from, to }: z.output<typeof query>, principal: Principal): Promise<Selection> => {
    const nowMs = clock.nowMs();
    const [fromMs, toMs] = [from ?? nowMs - (topics.detections.retentionMs ?? 0), to ?? nowMs];
    if (fromMs > toMs) throw new Fault("invalid_field", "from: is later than to", { details: { field: "from" } });
    if (open.size >= exportsMax)
      throw new Fault("rate_limited", `${exportsMax} exports are under way, which is the most; ask again when one has ended`);
    await bus.states(topics.detections.name); // a bus that is away is a status, not a broken answer
    return { fromMs, toMs, wants: (id) => (cameras?.has(id) ?? true) && mayUseCamera(principal, id) };
  };

  routes.openapi(asJson, async (c) => {
    const selection = await select(c.req.valid("query"), c.get("principal"));
    const headers = { "content-type": "application/json", "cache-control": "no-store" };
    return new Response(stream(selection, jsonShape), { headers }) as never; // rows are written as they are read
  });
  routes.openapi(asCsv, async (c) => {
    const selection = await select(c.req.valid("query"), c.get("principal"));
    const headers = {
      "content-type": "text/csv; charset=utf-8; header=present",
      "content-disposition": 'attachment; filename="vedette.csv"',
      "cache-control": "no-store",
    };
    return new Response(stream(selection, csvShape), { headers });
  });
  return routes;
};
