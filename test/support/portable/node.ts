/** For `node --import`: `bun:test` is the adapter beside this file. */
import { registerHooks } from "node:module";

const adapter = new URL("./bun-test.ts", import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "bun:test" ? { url: adapter, shortCircuit: true } : next(specifier, context),
});
