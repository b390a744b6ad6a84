/** The dashboard: one page, its style sheet, and its program, bundled into memory when first asked for. */
import { createRoutes, type EdgeApp } from "./routing.ts";

const folder = new URL("../dashboard/", import.meta.url);

type Asset = { readonly body: string; readonly type: string; readonly etag: string };

const assetOf = (body: string, type: string): Asset => ({ body, type, etag: `"${Bun.hash(body).toString(36)}"` });

const bundle = async (): Promise<Asset> => {
  const built = await Bun.build({ entrypoints: [Bun.fileURLToPath(new URL("app.ts", folder))], target: "browser", minify: true });
  const [program] = built.outputs;
  if (!program) throw new Error("the dashboard's program could not be bundled");
  return assetOf(await program.text(), "text/javascript; charset=utf-8");
};
/** The files, one after the other. */
const files = async (type: string, ...names: readonly string[]): Promise<Asset> => {
  const texts = await Promise.all(names.map((name) => Bun.file(new URL(name, folder)).text()));
  return assetOf(texts.join("\n"), type);
};

const makers: Readonly<Record<string, () => Promise<Asset>>> = {
  "/": () => files("text/html; charset=utf-8", "index.html"),
  "/assets/style.css": () =>
    files("text/css; charset=utf-8", "style.css", "tile.css", "feed.css", "dialog.css", "quota.css", "narrow.css"),
  "/assets/icon.svg": () => files("image/svg+xml", "icon.svg"),
  "/assets/app.js": bundle,
};

export const dashboardRoutes = (): EdgeApp => {
  const routes = createRoutes();
  const made = new Map<string, Promise<Asset>>();

  for (const [path, make] of Object.entries(makers)) {
    routes.get(path, async (c) => {
      const pending = made.get(path) ?? make();
      made.set(path, pending);
      const asset = await pending.catch((thrown) => {
        made.delete(path); // the next request tries again
        throw thrown;
      });
      const headers = { etag: asset.etag, "cache-control": "no-cache", "content-type": asset.type };
      if (c.req.header("if-none-match") === asset.etag) return c.body(null, 304, headers);
      return c.body(asset.body, 200, headers);
    });
  }
  return routes;
};
