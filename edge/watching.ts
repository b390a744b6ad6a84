/** Between cameras and viewers, what a process has of it by its roles: which cameras run here, and what viewers here see. */
import type { Role } from "../actors/pipeline.ts";
import { cameraSeeds, previewsOf } from "../config/cameras.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Bus } from "../runtime/bus.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { Random } from "../runtime/random.ts";
import type { Fleet } from "./cameras/book.ts";
import { createOwnership } from "./cameras/ownership.ts";
import { createPlacement } from "./cameras/placement.ts";
import { type CameraRegistry, createCameraRegistry } from "./cameras.ts";
import { createLiveHub, type LiveHub } from "./live/hub.ts";
import { createRemoteEyes } from "./live/remote.ts";
import { version } from "./version.ts";

export type WatchingPorts = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly bus: Bus;
  readonly roles: ReadonlySet<Role>;
  /** Runs cameras in this process; used when it has eyes. */
  readonly fleet: Fleet;
  readonly checkAddress: (url: string) => void | Promise<void>;
};

export type Watching = {
  readonly hub: LiveHub;
  readonly cameras: CameraRegistry;
  readonly start: () => Promise<void>;
  /** Takes no further camera and reads no further record; cameras that run end with the system. */
  readonly stop: () => Promise<void>;
};

const blind: Fleet = { start() {}, stop() {} };

export const createWatching = (loaded: LoadedConfig, ports: WatchingPorts): Watching => {
  const { config } = loaded;
  const { clock, random, log, metrics, bus, roles, fleet, checkAddress } = ports;
  const hasEyes = roles.has("eyes");
  const isEdge = roles.has("edge");
  // The embedded log belongs to one process: there is nobody to share with.
  const isShared = bus.driver !== "sqlite";

  const changed = () => log.info("cameras.placed", placement.review());
  const ownership = hasEyes && isShared ? createOwnership({ bus, clock, log, changed }) : null;
  const placement = createPlacement(hasEyes ? fleet : blind, (id) => (ownership ? ownership.termOf(id) : 0), clock);
  const isHere = (id: number) => hasEyes && placement.isHere(id);

  const preview = previewsOf(config);
  const hub = createLiveHub({ bus, clock, log, metrics, version, maxClients: config.server.maxClients, preview });
  const cameras = createCameraRegistry({
    ...{ bus, clock, random, log, checkAddress },
    fleet: isShared ? placement : fleet,
    seeds: cameraSeeds(loaded),
    limit: config.cameras.maxCameras,
    hasEyes,
    removed: hub.stopped,
  });
  const { staleMs } = config.cameras;
  const remote = isEdge && isShared ? createRemoteEyes({ bus, clock, log, metrics, hub, cameras, isHere, staleMs }) : null;

  return {
    hub,
    cameras,
    async start() {
      if (isEdge) await hub.start();
      await remote?.start();
      if (isEdge || hasEyes) await cameras.start();
      await ownership?.start();
    },
    async stop() {
      // First, so that others take over while what was begun here is finished.
      await ownership?.stop();
      await Promise.all([cameras.stop(), remote?.stop()]);
    },
  };
};
