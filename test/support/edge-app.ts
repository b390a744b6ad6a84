/** The edge's app without a port, asked as a client would. */
import type { EdgeApp } from "../../edge/routes/routing.ts";
import { createApp } from "../../edge/server.ts";
import { type EdgeOptions, type FakeEdge, fakeEdge } from "./edge.ts";

type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Null where the answer is no JSON. */
  readonly json: ReturnType<typeof JSON.parse>;
};

export type AskedEdge = FakeEdge & {
  readonly app: EdgeApp;
  readonly ask: (path: string, headers?: Record<string, string>) => Promise<Answer>;
};

export const askedEdge = async (options: EdgeOptions = {}): Promise<AskedEdge> => {
  const edge = await fakeEdge(options);
  const app = createApp(edge);
  const ask = async (path: string, headers: Record<string, string> = {}): Promise<Answer> => {
    const response = await app.request(path, { headers });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") ?? false;
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : null };
  };
  return { ...edge, app, ask };
};
