/** What finding a model needs of the outside: the network, the package client, a worker to try the model on. */
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import { runProcess } from "../../runtime/run-process.ts";
import { checkGolden } from "./golden.ts";
import type { ModelPorts } from "./model.ts";
import { fetchNpmWeights } from "./npm-weights.ts";

export const modelPorts = (clock: Clock, log: Log, metrics: Metrics): ModelPorts => ({
  clock,
  log,
  fetch: (url, init) => fetch(url, init),
  fetchNpmWeights: () => fetchNpmWeights({ runProcess }),
  check: (model) => checkGolden(model, { clock, metrics }),
});
