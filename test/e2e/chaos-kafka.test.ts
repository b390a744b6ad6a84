/** The kill matrix in small: each role once, the broker, the Redis and a cut, and every guarantee at rest. `docs/chaos.md`. */
import { expect, test } from "bun:test";
import { roleNames } from "../../bench/chaos/options.ts";
import { fresh, runChaos } from "../../bench/chaos.ts";
import { redisMissing } from "../support/redis.ts";

const missing = redisMissing();
const options = {
  cameras: 8,
  fps: 1,
  seed: 1,
  roles: roleNames,
  kills: 5,
  broker: 1,
  redis: 1,
  cuts: 1,
  perRound: 8,
  gapMs: 2_500,
};

test.skipIf(missing !== null)(
  `what is killed loses nothing, shows nothing twice and pays nothing twice${missing === null ? "" : `: ${missing}`}`,
  async () => {
    const said: string[] = [];
    const { report, findings } = await runChaos(fresh(options), (text) => said.push(text));
    expect(findings, said.join("")).toEqual([]);
    const count = (name: string) => report.results.find((result) => result.name === name)?.median;
    expect([count("kills"), count("broker"), count("redis"), count("cuts")]).toEqual([5, 1, 1, 1]);
    expect(count("shown")).toBeGreaterThan(20);
    expect(count("calls")).toBeGreaterThan(20);
  },
  360_000,
);
