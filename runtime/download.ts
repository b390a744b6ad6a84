/** One file over HTTP, bounded in size and in time, on disk only when it is whole. */
import { open, rename, rm } from "node:fs/promises";
import type { Clock } from "./clock.ts";
import { Fault, reasonOf } from "./errors.ts";

export type Fetch = (url: string, init: { readonly signal: AbortSignal; readonly redirect: "follow" }) => Promise<Response>;

export type DownloadLimits = {
  /** Until the answer's head, redirects included. */
  readonly connectMs: number;
  /** Without a byte. */
  readonly stallMs: number;
  readonly totalMs: number;
  readonly bytesMax: number;
};
export const defaultDownloadLimits: DownloadLimits = {
  connectMs: 5_000,
  stallMs: 10_000,
  totalMs: 600_000,
  bytesMax: 128 * 1024 * 1024,
};

/** `totalBytes` is null while the server does not say. */
export type Progress = (receivedBytes: number, totalBytes: number | null) => void;

const progressEveryMs = 500;

/** Aborts unless `extend` is called again in time. */
const deadline = (clock: Clock, aborter: AbortController, totalMs: number) => {
  const giveUp = (reason: string) => () => aborter.abort(new Error(reason));
  const cancelTotal = clock.after(totalMs, giveUp(`not done after ${totalMs} ms`));
  let cancelStep = () => {};
  return {
    extend(timeMs: number, waitingFor: string) {
      cancelStep();
      cancelStep = clock.after(timeMs, giveUp(`no ${waitingFor} within ${timeMs} ms`));
    },
    cancel() {
      cancelStep();
      cancelTotal();
    },
  };
};

/** What is done with an abort signal that `read` itself may ignore. */
const orAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });

/** Writes `url` to `path` by way of a file beside it. Rejects with an `unavailable` fault that says why. */
export const download = async (
  url: string,
  path: string,
  ports: { readonly fetch: Fetch; readonly clock: Clock },
  progress: Progress = () => {},
  limits: DownloadLimits = defaultDownloadLimits,
): Promise<void> => {
  const { clock } = ports;
  const part = `${path}.${process.pid}.part`;
  const aborter = new AbortController();
  const { signal } = aborter;
  const time = deadline(clock, aborter, limits.totalMs);
  try {
    time.extend(limits.connectMs, "answer");
    const response = await orAborted(ports.fetch(url, { signal, redirect: "follow" }), signal);
    time.extend(limits.stallMs, "byte");
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
    const length = Number(response.headers.get("content-length") ?? Number.NaN);
    const totalBytes = Number.isInteger(length) && !response.headers.has("content-encoding") ? length : null;
    if (totalBytes !== null && totalBytes > limits.bytesMax)
      throw new Error(`it has ${totalBytes} bytes, at most ${limits.bytesMax} are taken`);

    const file = await open(part, "w");
    let receivedBytes = 0;
    try {
      const reader = response.body.getReader();
      let shownMs = clock.monotonicMs();
      for (;;) {
        time.extend(limits.stallMs, "byte");
        const { done, value } = await orAborted(reader.read(), signal);
        if (done) break;
        receivedBytes += value.byteLength;
        if (receivedBytes > limits.bytesMax) throw new Error(`it has more than ${limits.bytesMax} bytes`);
        await file.writeFile(value);
        if (clock.monotonicMs() - shownMs < progressEveryMs) continue;
        shownMs = clock.monotonicMs();
        progress(receivedBytes, totalBytes);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (totalBytes !== null && receivedBytes !== totalBytes)
      throw new Error(`it ended after ${receivedBytes} of ${totalBytes} bytes`);
    progress(receivedBytes, totalBytes);
    await rename(part, path);
  } catch (failure) {
    aborter.abort(failure);
    await rm(part, { force: true });
    throw new Fault("unavailable", `${url} was not downloaded: ${reasonOf(failure)}`, { cause: failure });
  } finally {
    time.cancel();
  }
};
