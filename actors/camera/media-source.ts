/**
 * A source over any media: opens it, watches its health, and opens it again for as long as it is wanted. Native code that
 * does not come back is left behind, so that neither this source nor any other waits for it.
 */
import type { CameraState } from "../../protocols/camera.ts";
import { delay, every } from "../../runtime/clock.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { maskUrl } from "./address.ts";
import { createHealth, frozenMsDefault, type Health, staleMsOf } from "./health.ts";
import type { Media, MediaAddress, OpenMedia } from "./media.ts";
import { createPlayer } from "./player.ts";
import { type BackoffSettings, createBackoff } from "./reconnect.ts";
import type { OpenSource, SourceEvents } from "./source.ts";

export type MediaSourceOptions = {
  readonly open: OpenMedia;
  /** Rejects with `source_refused`; asked before each opening, because a name may resolve otherwise later. */
  readonly check: (url: string) => Promise<MediaAddress>;
  readonly openTimeoutMs?: number;
  /** No frame for so long ends the session. Default max(10 s, 4 periods). */
  readonly silenceMs?: number;
  /** No frame for so long, and for at least 3 periods, is stale. */
  readonly staleMs?: number;
  readonly frozenMs?: number;
  readonly backoff?: BackoffSettings;
  /** How long native code may take to obey an interrupt. */
  readonly graceMs?: number;
};

const watchPeriodMs = 250;
const reasonLengthMax = 200;
/** Native timeouts are a second net; before them the silence is seen here, where it gets its name. */
const nativeMarginMs = 5000;
/** Each session left behind holds a thread until it returns, so there may be only so many of one source. */
const leftBehindMax = 2;

type Ending = {
  /** `again`: at once, a file plays from its start. `retry`: after a pause. The others are final. */
  readonly next: "again" | "retry" | "over" | "refused";
  readonly reason: string;
};

/** `work`, or the signal's reason when it aborts first. */
const unlessAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;

/** Makes the `OpenSource` for everything that `options.open` can open. Its events come after the opening call has returned. */
export const createMediaSource =
  (options: MediaSourceOptions): OpenSource =>
  (settings, ports, given) => {
    const { clock, frames } = ports;
    const { openTimeoutMs = 10_000, silenceMs = Math.max(10_000, 4000 / settings.fps), graceMs = 1500 } = options;
    const staleMs = staleMsOf(settings.fps, options.staleMs);
    const stop = new AbortController();
    const leftBehind = new Set<Promise<unknown>>();
    const backoff = createBackoff(ports.random, options.backoff);
    let told = "";

    const state = (name: CameraState, reason: string, latencyMs?: number) => {
      const text = maskUrl(reason).slice(0, reasonLengthMax);
      if (stop.signal.aborted || told === `${name} ${text}`) return;
      told = `${name} ${text}`;
      given.state(name, text, latencyMs);
    };
    const events: Pick<SourceEvents, "frame" | "dropped"> = {
      frame: (frame, lease) => (stop.signal.aborted ? frames.release(lease) : given.frame(frame, lease)),
      dropped: (reason) => (stop.signal.aborted ? undefined : given.dropped(reason)),
    };
    const player = createPlayer(settings, ports, events);

    /** Waits for `work` at most `graceMs`, then leaves it behind. */
    const orLeaveBehind = (work: Promise<unknown>): Promise<void> => {
      const settled = work.then(
        () => {},
        () => {}, // what native code says after it was given up is of no use
      );
      leftBehind.add(settled);
      void settled.then(() => leftBehind.delete(settled));
      return new Promise((resolve) => {
        const cancel = clock.after(graceMs, resolve);
        void settled.then(() => {
          cancel();
          resolve();
        });
      });
    };

    const open = async (): Promise<Media> => {
      const limit = new AbortController();
      const abort = () => limit.abort(stop.signal.reason);
      const cancel = clock.after(openTimeoutMs, () =>
        limit.abort(new Fault("unavailable", `no answer within ${seconds(openTimeoutMs)}`)),
      );
      stop.signal.addEventListener("abort", abort, { once: true });
      const mediaOptions = {
        clock,
        signal: limit.signal,
        timeoutMs: silenceMs + nativeMarginMs,
        undecodable: () => events.dropped("undecodable"),
      };
      const opening = (async () => options.open(await options.check(settings.url), mediaOptions))();
      try {
        return await unlessAborted(opening, limit.signal);
      } catch (thrown) {
        await orLeaveBehind(opening.then((media) => media.close()));
        throw thrown;
      } finally {
        cancel();
        stop.signal.removeEventListener("abort", abort);
      }
    };

    const tell = (health: Health, media: Media, openMs: number) => {
      const { codec } = media.info;
      const seen = health.state(clock.monotonicMs());
      if (seen === "stale") state("stale", `no frame for ${seconds(staleMs)}`);
      if (seen === "frozen") state("frozen", "the picture does not change");
      if (seen === "online") state("online", `${codec} video`, openMs);
    };

    const endingOf = (media: Media, decoded: number): Ending => {
      if (decoded === 0) return { next: "retry", reason: "no picture could be decoded" };
      if (!media.info.isRecording) return { next: "retry", reason: "the source ended the stream" };
      return settings.loop ? { next: "again", reason: "" } : { next: "over", reason: "the recording has ended" };
    };

    /** One opening, played to its end. */
    const session = async (delivered: (ms: number) => void): Promise<Ending> => {
      const startedMs = clock.monotonicMs();
      const media = await open();
      const openedMs = clock.monotonicMs();
      const frozenMs = media.info.isRecording ? null : (options.frozenMs ?? frozenMsDefault);
      const health = createHealth(openedMs, { staleMs, frozenMs });
      const over = new AbortController();
      let firstMs: number | null = null;
      const heard = () => {
        firstMs ??= clock.monotonicMs() - startedMs;
        tell(health, media, firstMs);
      };
      const end = () => over.abort(stop.signal.reason);
      stop.signal.addEventListener("abort", end, { once: true });
      const silence = new Fault("unavailable", `no frame for ${seconds(silenceMs)}`);
      const unwatch = every(clock, watchPeriodMs, () => {
        tell(health, media, firstMs ?? 0);
        if (health.silentMs(clock.monotonicMs()) >= silenceMs) over.abort(silence);
      });
      try {
        const decoded = await unlessAborted(player.play(media, health, heard, over.signal), over.signal);
        return endingOf(media, decoded);
      } finally {
        unwatch();
        stop.signal.removeEventListener("abort", end);
        over.abort(); // a player that was left behind delivers nothing more
        delivered(health.deliveredMs());
        media.interrupt();
        await orLeaveBehind(media.close());
      }
    };

    const run = async (): Promise<void> => {
      state("connecting", "opening the source");
      while (!stop.signal.aborted) {
        let deliveredMs = 0;
        const ending = await session((ms) => {
          deliveredMs = ms;
        }).catch((thrown: unknown): Ending => {
          const isRefused = thrown instanceof Fault && thrown.code === "source_refused";
          return { next: isRefused ? "refused" : "retry", reason: reasonOf(thrown) };
        });
        if (ending.next === "again") continue;
        state(ending.next === "refused" ? "failed" : "offline", ending.reason);
        if (ending.next !== "retry") return;
        await delay(clock, backoff.afterMs(deliveredMs), stop.signal);
        while (leftBehind.size >= leftBehindMax) await unlessAborted(Promise.race(leftBehind), stop.signal);
      }
    };

    const running = Promise.resolve()
      .then(run)
      .catch((thrown: unknown) => {
        if (!stop.signal.aborted) state("offline", reasonOf(thrown)); // a fault of this file, said rather than hidden
      });
    return {
      close() {
        stop.abort(new Fault("unavailable", "the source is closed"));
        return orLeaveBehind(running);
      },
    };
  };
