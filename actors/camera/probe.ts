/** Opens an address once and says what is there. */
import type { Clock } from "../../runtime/clock.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { maskUrl, schemeOf } from "./address.ts";
import { parseJunctionUrl } from "./junction.ts";
import type { MediaAddress, OpenMedia } from "./media.ts";
import type { ProbeResult } from "./source.ts";

export type ProbePorts = {
  readonly open: OpenMedia;
  readonly check: (url: string) => Promise<MediaAddress>;
  readonly clock: Clock;
  readonly timeoutMs?: number;
};

/** Ok means that a picture was decoded; the latency is the time until then. Never rejects, and answers within 5 s. */
export const probe = async (url: string, { open, check, clock, timeoutMs = 5000 }: ProbePorts): Promise<ProbeResult> => {
  const startedMs = clock.monotonicMs();
  const latencyMs = () => Math.round(clock.monotonicMs() - startedMs);
  const limit = new AbortController();

  const look = async (): Promise<ProbeResult> => {
    if (schemeOf(url) === "sim:") {
      parseJunctionUrl(url);
      return { ok: true, codec: "simulated", latencyMs: latencyMs() };
    }
    const media = await open(await check(url), { clock, signal: limit.signal, timeoutMs, undecodable() {} });
    const interrupt = () => media.interrupt();
    limit.signal.addEventListener("abort", interrupt, { once: true });
    try {
      limit.signal.throwIfAborted();
      const frame = await media.next();
      const { codec, fps } = media.info;
      if (!frame) return { ok: false, codec, latencyMs: latencyMs(), error: "no picture could be decoded" };
      const { width, height } = frame;
      return { ok: true, codec, width, height, ...(fps === undefined ? {} : { fps }), latencyMs: latencyMs() };
    } finally {
      limit.signal.removeEventListener("abort", interrupt);
      media.close().catch(() => {}); // the answer neither waits for it nor depends on it
    }
  };

  const failed = (thrown: unknown): ProbeResult => ({
    ok: false,
    latencyMs: latencyMs(),
    error: maskUrl(reasonOf(thrown)).slice(0, 300),
  });
  return new Promise((resolve) => {
    const cancel = clock.after(timeoutMs, () => {
      const silence = new Error(`no picture within ${timeoutMs / 1000} s`);
      resolve(failed(silence));
      limit.abort(silence);
    });
    look()
      .then(resolve, (thrown: unknown) => resolve(failed(thrown)))
      .finally(cancel);
  });
};
