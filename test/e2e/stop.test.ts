import { expect, test } from "bun:test";
import { tempDir } from "../support/temp-dir.ts";
import { startVedette, view } from "../support/vedette.ts";

const config = `
cameras:
  - { id: 1, name: one, url: "sim://junction?seed=1&fps=5&render=0" }
  - { id: 2, name: two, url: "sim://junction?seed=2&fps=5&render=0" }
`;

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s ends it with 0, and says that all was given back within the 10 s",
  async (signal) => {
    await using it = await startVedette({ config });
    using viewer = view(it.url);
    await viewer.message("risk_update", undefined, 30_000);
    it.kill(signal);
    expect(await it.exited).toBe(0);
    expect(it.lines.find(({ event }) => event === "process.stopped")).toMatchObject({ status: 0, inTime: true });
  },
  60_000,
);

test("a second start takes up where the first one ended", async () => {
  await using directory = await tempDir();
  for (let time = 0; time < 2; time++) {
    await using it = await startVedette({ config, dataDir: directory.path });
    using viewer = view(it.url);
    await viewer.message("risk_update", undefined, 30_000);
    it.kill("SIGTERM");
    expect(await it.exited).toBe(0);
  }
}, 90_000);

test("two processes cannot have one data directory", async () => {
  await using it = await startVedette({ config });
  const second = startVedette({ config, dataDir: it.dataDir });
  await expect(second).rejects.toThrow("78");
}, 60_000);

test("a signal during the start ends it with 0 all the same", async () => {
  await using directory = await tempDir();
  for (const until of ["process.start", "store.ready", "bus.ready", "consumer.joined", "server.listening", "camera.state"]) {
    await using it = await startVedette({ config, dataDir: directory.path, until });
    it.kill("SIGTERM");
    expect(await it.exited).toBe(0);
  }
}, 60_000);
