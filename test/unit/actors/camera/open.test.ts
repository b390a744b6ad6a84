import { expect, test } from "bun:test";
import { openSourceBy } from "../../../../actors/camera/open.ts";
import type { OpenSource, SourceEvents, SourcePorts } from "../../../../actors/camera/source.ts";

test.each([
  ["sim://junction?seed=7", "simulated"],
  ["SIM://junction", "simulated"],
  ["rtsp://cam/1", "media"],
  ["file:a.avi", "media"],
  ["simple", "media"],
])("%s is opened as %s", (url, expected) => {
  const opened: string[] = [];
  const named =
    (name: string): OpenSource =>
    () => {
      opened.push(name);
      return { close: async () => {} };
    };
  const open = openSourceBy({ "sim:": named("simulated"), "*": named("media") });
  const settings = { id: 1, name: "x", url, fps: 2, loop: false, enabled: true };
  open(settings, {} as SourcePorts, {} as SourceEvents); // neither is looked at
  expect(opened).toEqual([expected]);
});
