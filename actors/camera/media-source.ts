/**
 * A source over any media: opens it again for as long as it is wanted. Native code that does not come back is left behind,
 * so that neither this source nor any other waits for it.
 */
import { delay } from "../../runtime/clock.ts";
import { Fault, reasonOf } from "../../runtime/errors.ts";
import { maskUrl } from "./address.ts";
import { createLeftBehind } from "./left-behind.ts";
import { createSession, type Ending, type SessionOptions } from "./media-session.ts";
import { createPlayer } from "./player.ts";
import { type BackoffSettings, createBackoff } from "./reconnect.ts";
import type { OpenSource, SourceEvents } from "./source.ts";

export type MediaSourceOptions = SessionOptions & {
  readonly backoff?: BackoffSettings;
  /** How long native code may take to obey an interrupt. */
  readonly graceMs?: number;
};

const reasonLengthMax = 200;
/** Each session left behind holds a thread until it returns, so there may be only so many of one source. */
const leftBehindMax = 2;

const endingAfter = (thrown: unknown): Ending => ({
  next: thrown instanceof Fault && thrown.code === "source_refused" ? "refused" : "retry",
  reason: reasonOf(thrown),
});

/** Makes the `OpenSource` for everything that `options.open` can open. Its events come after the opening call has returned. */
export const createMediaSource =
  (options: MediaSourceOptions): OpenSource =>
  (settings, ports, given) => {
    const { clock, frames, random } = ports;
    const stop = new AbortController();
    let told = "";
    /** Says each state once, and nothing after the close. */
    const events: SourceEvents = {
      frame: (frame, lease) => (stop.signal.aborted ? frames.release(lease) : given.frame(frame, lease)),
      dropped: (reason) => (stop.signal.aborted ? undefined : given.dropped(reason)),
      state(state, reason, latencyMs) {
        const text = maskUrl(reason).slice(0, reasonLengthMax);
        if (stop.signal.aborted || told === `${state} ${text}`) return;
        told = `${state} ${text}`;
        given.state(state, text, latencyMs);
      },
    };
    const leftBehind = createLeftBehind(clock, options.graceMs ?? 1500);
    const backoff = createBackoff(random, options.backoff);
    const session = createSession(settings, ports, events, createPlayer(settings, ports, events), leftBehind, options);

    const run = async (): Promise<void> => {
      events.state("connecting", "opening the source");
      while (!stop.signal.aborted) {
        const ending = await session.run(stop.signal).catch(endingAfter);
        if (ending.next === "again") continue;
        events.state(ending.next === "refused" ? "failed" : "offline", ending.reason);
        if (ending.next !== "retry") return;
        await delay(clock, backoff.afterMs(session.deliveredMs()), stop.signal);
        await leftBehind.fewerThan(leftBehindMax, stop.signal);
      }
    };

    const running = Promise.resolve()
      .then(run)
      // The close ends a pause by rejecting it; anything else is a fault of this program, said rather than hidden.
      .catch((thrown: unknown) => events.state("offline", reasonOf(thrown)));
    return {
      close() {
        stop.abort(new Fault("unavailable", "the source is closed"));
        return leftBehind.wait(running);
      },
    };
  };
