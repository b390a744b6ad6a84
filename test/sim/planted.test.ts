/** The simulation is not blind: each planted bug is noticed. `bun run sim --planted` prints what noticed it. */
import { expect, test } from "bun:test";
import { notice, plantedBugs } from "../support/sim/planted.ts";

test.each(plantedBugs.map((bug) => [bug.name, bug] as const))(
  "within 200 seeds it notices: %s",
  async (_name, bug) => {
    expect(await notice(bug, 200)).not.toBeNull();
  },
  120_000,
);
