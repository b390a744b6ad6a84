import { expect, test } from "bun:test";
import { startLlmSim } from "../../tools/llm-sim/server.ts";
import { startVedette, view } from "../support/vedette.ts";

test("E1.1 and E1.2: the model's own words and its level reach the viewer", async () => {
  await using sim = await startLlmSim({ port: 0, level: "high", latencyMs: [50, 100], seed: 1 });
  await using it = await startVedette({
    config: `
cameras:
  - { id: 4, name: junction, url: "sim://junction?seed=3&fps=4" }
llm:
  groups:
    - name: main
      baseUrl: ${sim.url}/v1
      model: sim-vl
      keys: [{ id: key-1, env: TEST_LLM_KEY }]
`,
    env: { TEST_LLM_KEY: "sk-test-0123456789" },
  });
  using viewer = view(it.url);
  const update = await viewer.message(
    "risk_update",
    ({ results }) => results.some(({ assessedBy }) => assessedBy === "sim-vl"),
    40_000,
  );
  const verdict = update.results.find(({ assessedBy }) => assessedBy === "sim-vl");
  expect(update).toMatchObject({ cameraId: 4, hasDangerousDriving: true, maxRiskLevel: "high" });
  expect(verdict).toMatchObject({ status: "ok", riskLevel: "high" });
  expect(verdict?.description).toStartWith("llm-sim");

  const quota = (await (await it.get("/api/quota")).json()) as { groups: unknown[]; spend: { today: { calls: number } } };
  expect(quota.groups).toMatchObject([{ name: "main", model: "sim-vl", keys: [{ id: "key-1", masked: "…6789" }] }]);
  expect(quota.spend.today.calls).toBeGreaterThan(0);

  // The key is in no line and no answer.
  const printed = JSON.stringify(it.lines) + it.errors();
  const answers = await Promise.all(
    ["/api/system", "/api/quota", "/metrics", "/readyz"].map(async (path) => (await it.get(path)).text()),
  );
  expect([printed, ...answers].join("\n")).not.toContain("012345678");
}, 90_000);
