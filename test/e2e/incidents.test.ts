/** A danger from its first sighting to its end, over a kill of the process between the two. */
import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCli } from "../support/cli.ts";
import { tempDir } from "../support/temp-dir.ts";
import { startVedette, view } from "../support/vedette.ts";
import { within } from "../support/wait.ts";

const cameras = [11, 12, 13, 14]
  .map((seed, index) => `  - { id: ${index + 1}, name: c${index + 1}, url: "sim://junction?seed=${seed}&fps=4&act=tailgating" }`)
  .join("\n");

test("an incident is told, listed, shown, acknowledged and ended", async () => {
  await using directory = await tempDir();
  let id = "";
  {
    await using it = await startVedette({ config: `cameras:\n${cameras}\n`, dataDir: directory.path });
    using viewer = view(it.url, { types: ["incident"] });
    const told = await viewer.message("incident", ({ evidenceIds }) => evidenceIds.length > 0, 90_000);
    expect(told).toMatchObject({ phase: "new", revision: 1 });
    id = told.id;

    const listed = await (await it.get(`/api/incidents?cameraId=${told.cameraId}`)).json();
    expect(listed).toMatchObject({ items: expect.arrayContaining([expect.objectContaining({ id, cameraId: told.cameraId })]) });
    const picture = await it.get(`/api/evidence/${told.evidenceIds[0]}`);
    expect([picture.status, new Uint8Array(await picture.arrayBuffer()).slice(0, 2)]).toEqual([
      200,
      new Uint8Array([0xff, 0xd8]),
    ]);

    const said = { method: "POST", body: '{"label":true}', headers: { "content-type": "application/json" } };
    expect((await fetch(`${it.url}/api/incidents/${id}/ack`, said)).status).toBe(200);
    await viewer.message("incident", (each) => each.id === id && each.ack?.label === true);
    it.kill("SIGKILL");
    await it.exited;
  }
  await using it = await startVedette({ config: "cameras: []\n", dataDir: directory.path });
  const ended = await within(60_000, "the incident to end", async () => {
    const incident = (await (await it.get(`/api/incidents/${id}`)).json()) as { readonly phase: string };
    return incident.phase === "end" ? incident : null;
  });
  expect(ended).toMatchObject({ id, ack: { label: true, by: "local" }, endedAt: expect.any(Number) });

  const file = join(directory.path, "incident.zip");
  await writeFile(file, new Uint8Array(await (await it.get(`/api/incidents/${id}/bundle`)).arrayBuffer()));
  expect(await runCli(["verify", file])).toMatchObject({ status: 0, out: expect.stringContaining(`incident ${id}`) });
  await writeFile(file, (await readFile(file)).fill(0, 40, 60));
  expect(await runCli(["verify", file])).toMatchObject({ status: 1, out: expect.stringContaining("BAD") });
  expect(await runCli(["verify", join(directory.path, "none.zip")])).toMatchObject({
    status: 1,
    err: expect.stringContaining("cannot be read"),
  });
}, 180_000);
