/** The other thread of the frame pool's test: says what it sees in a slot, and leaves a mark there. */
import { parentPort, workerData } from "node:worker_threads";
import { attachFramePool, type FramePoolLayout, type Lease } from "../../runtime/frame-pool.ts";

const { buffer, layout, lease } = workerData as { buffer: SharedArrayBuffer; layout: FramePoolLayout; lease: Lease }; // the test's
const views = attachFramePool(buffer, layout);
const seen = [...views.picture(lease).subarray(0, 3)];
views.input(lease)[0] = 42;
parentPort?.postMessage({ seen, current: views.isCurrent(lease) });
