/** One opening of a source, played to its end and watched meanwhile. */
import type { CameraSettings, CameraState } from "../../protocols/camera.ts";
import { every } from "../../runtime/clock.ts";
import { Fault } from "../../runtime/errors.ts";
import { createHealth, frozenMsDefault, type Health, staleMsOf } from "./health.ts";
import { type LeftBehind, unlessAborted } from "./left-behind.ts";
import type { Media, MediaAddress, OpenMedia } from "./media.ts";
import type { Player } from "./player.ts";
import type { SourceEvents, SourcePorts } from "./source.ts";

export type SessionOptions = {
  readonly open: OpenMedia;
  /** Rejects with `source_refused`; asked before each opening, because a name may resolve otherwise later. */
  readonly check: (url: string) => Promise<MediaAddress>;
  readonly openTimeoutMs?: number;
  /** No frame for so long ends the session. Default max(10 s, 4 periods). */
  readonly silenceMs?: number;
  /** No frame for so long, and for at least 3 periods, is stale. */
  readonly staleMs?: number;
  readonly frozenMs?: number;
};

export type Ending = {
  /** `again`: at once, a recording plays from its start. `retry`: after a pause. The others are final. */
  readonly next: "again" | "retry" | "over" | "refused";
  readonly reason: string;
};

export type Session = {
  /** Rejects when the source cannot be opened, fails, falls silent, or `stop` aborts. */
  readonly run: (stop: AbortSignal) => Promise<Ending>;
  /** How long the last run delivered frames. */
  readonly deliveredMs: () => number;
};

const watchPeriodMs = 250;
/** Native timeouts are a second net; before them the silence is seen here, where it gets its name. */
const nativeMarginMs = 5000;

const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;

const endingOf = ({ info }: Media, decoded: number, loop: boolean): Ending => {
  if (decoded === 0) return { next: "retry", reason: "no picture could be decoded" };
  if (!info.isRecording) return { next: "retry", reason: "the source ended the stream" };
  return loop ? { next: "again", reason: "" } : { next: "over", reason: "the recording has ended" };
};

export const createSession = (
  settings: CameraSettings,
  { clock }: SourcePorts,
  events: Pick<SourceEvents, "state" | "dropped">,
  player: Player,
  leftBehind: LeftBehind,
  options: SessionOptions,
): Session => {
  const { openTimeoutMs = 10_000, silenceMs = Math.max(10_000, 4000 / settings.fps), frozenMs = frozenMsDefault } = options;
  const staleMs = staleMsOf(settings.fps, options.staleMs);
  let deliveredMs = 0;

  const open = async (stop: AbortSignal): Promise<Media> => {
    const limit = new AbortController();
    const abort = () => limit.abort(stop.reason);
    const unanswered = new Fault("unavailable", `no answer within ${seconds(openTimeoutMs)}`);
    const cancel = clock.after(openTimeoutMs, () => limit.abort(unanswered));
    stop.addEventListener("abort", abort, { once: true });
    const undecodable = () => events.dropped("undecodable");
    const mediaOptions = { clock, signal: limit.signal, timeoutMs: silenceMs + nativeMarginMs, undecodable };
    const opening = (async () => options.open(await options.check(settings.url), mediaOptions))();
    try {
      return await unlessAborted(opening, limit.signal);
    } catch (thrown) {
      await leftBehind.wait(opening.then((media) => media.close()));
      throw thrown;
    } finally {
      cancel();
      stop.removeEventListener("abort", abort);
    }
  };

  const tell = (health: Health, media: Media, firstFrameMs: number) => {
    const names: Record<ReturnType<Health["state"]>, readonly [CameraState, string] | null> = {
      waiting: null,
      online: ["online", `${media.info.codec} video`],
      stale: ["stale", `no frame for ${seconds(staleMs)}`],
      frozen: ["frozen", "the picture does not change"],
    };
    const said = names[health.state(clock.monotonicMs())];
    if (said?.[0] === "online") events.state(...said, firstFrameMs);
    else if (said) events.state(...said);
  };

  return {
    deliveredMs: () => deliveredMs,
    async run(stop) {
      deliveredMs = 0;
      const startedMs = clock.monotonicMs();
      const media = await open(stop);
      const health = createHealth(clock.monotonicMs(), { staleMs, frozenMs: media.info.isRecording ? null : frozenMs });
      let firstFrameMs: number | null = null;
      const heard = () => {
        firstFrameMs ??= clock.monotonicMs() - startedMs;
        tell(health, media, firstFrameMs);
      };
      const over = new AbortController();
      const end = () => over.abort(stop.reason);
      stop.addEventListener("abort", end, { once: true });
      const silence = new Fault("unavailable", `no frame for ${seconds(silenceMs)}`);
      const unwatch = every(clock, watchPeriodMs, () => {
        tell(health, media, firstFrameMs ?? 0);
        if (health.silentMs(clock.monotonicMs()) >= silenceMs) over.abort(silence);
      });
      try {
        const decoded = await unlessAborted(player.play(media, health, heard, over.signal), over.signal);
        return endingOf(media, decoded, settings.loop);
      } finally {
        unwatch();
        stop.removeEventListener("abort", end);
        deliveredMs = health.deliveredMs();
        media.interrupt();
        await leftBehind.wait(media.close());
      }
    },
  };
};
