/** Fetches one file over HTTP, with a limit on size and on every wait. */
import { open } from "node:fs/promises";
import type { Clock } from "../../runtime/clock.ts";

export type Fetch = (url: string, init: { readonly signal: AbortSignal }) => Promise<Response>;
/** `total` is null while the server does not say it. */
export type Progress = (receivedBytes: number, totalBytes: number | null) => void;

export type DownloadPorts = {
  readonly clock: Clock;
  readonly fetch: Fetch;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
};

const answerMs = 5000;
const silenceMs = 10_000;
const bytesMax = 64 * 1024 * 1024;

/** Writes what `url` answers to `path`; rejects when it is no success, too large, cut short or silent for too long. */
export const downloadClip = async (
  url: string,
  path: string,
  { clock, fetch, progress, signal }: DownloadPorts,
): Promise<void> => {
  const limit = new AbortController();
  const abort = () => limit.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  /** `work`, unless it takes longer than `ms`. */
  const within = <T>(work: Promise<T>, ms: number, text: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const stop = () => reject(limit.signal.reason);
      const cancel = clock.after(ms, () => limit.abort(new Error(text)));
      limit.signal.addEventListener("abort", stop, { once: true });
      if (limit.signal.aborted) stop();
      work.then(resolve, reject).finally(() => {
        cancel();
        limit.signal.removeEventListener("abort", stop);
      });
    });

  const file = await open(path, "w");
  try {
    const response = await within(fetch(url, { signal: limit.signal }), answerMs, `no answer within ${answerMs / 1000} s`);
    if (!response.ok || !response.body) throw new Error(`answered ${response.status}`);
    const announced = Number(response.headers.get("content-length"));
    const total = announced > 0 && !response.headers.has("content-encoding") ? announced : null;
    const tooLarge = new Error(`larger than ${bytesMax / 1024 / 1024} MiB`);
    if ((total ?? 0) > bytesMax) throw tooLarge;
    const reader = response.body.getReader();
    let received = 0;
    for (;;) {
      const { done, value } = await within(reader.read(), silenceMs, `no bytes for ${silenceMs / 1000} s`);
      if (done) break;
      received += value.byteLength;
      if (received > bytesMax) throw tooLarge;
      await file.writeFile(value);
      progress?.(received, total);
    }
    if (total !== null && received !== total) throw new Error(`${received} of ${total} bytes came`);
  } finally {
    limit.abort();
    signal?.removeEventListener("abort", abort);
    await file.close();
  }
};
