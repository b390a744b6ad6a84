/**
 * Media by FFmpeg, in this process. The only file that knows node-av. It uses the library's low level: packets and one
 * frame are reused, opening can be interrupted, and the scaler writes straight into the frame pool.
 */
import { AV_LOG_QUIET, AV_NOPTS_VALUE, AVERROR_EAGAIN, AVERROR_EINVAL, AVERROR_EOF, AVMEDIA_TYPE_VIDEO } from "node-av/constants";
import { Codec, CodecContext, Dictionary, FFmpegError, FormatContext, Frame, Log, Packet, type Stream } from "node-av/lib";
import { delay } from "../../runtime/clock.ts";
import { Fault } from "../../runtime/errors.ts";
import { createDeferral } from "./deferral.ts";
import type { Media, MediaAddress, MediaFrame, MediaInfo, MediaOptions, OpenMedia } from "./media.ts";
import { createScaler } from "./scaler.ts";

// FFmpeg writes its own log to stderr, past ours; what went wrong is said by the errors that its calls return.
Log.setLevel(AV_LOG_QUIET);

const microseconds = (ms: number): string => String(Math.round(ms * 1000));

/** Containers that carry their own pictures. Playlists that name other files (concat, dash, imf) are left out. */
const containers =
  "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpegts,mpeg,mpegvideo,flv,live_flv,h264,hevc,m4v,mjpeg,mpjpeg,asf,ogg,ivf,obu,av1,mxf,gif";

/** Options of the opening. Protocols are named one by one, so that a playlist cannot lead to files or to other protocols. */
const optionsFor = (kind: MediaAddress["kind"], timeoutMs: number): Record<string, string> => {
  switch (kind) {
    case "file":
      return { protocol_whitelist: "file", format_whitelist: containers };
    case "rtsp":
      return {
        protocol_whitelist: "rtsp,rtsps,rtp,tcp,tls",
        rtsp_transport: "tcp",
        allowed_media_types: "video",
        timeout: microseconds(timeoutMs),
        // Opens in one GOP instead of 5 s; `fflags=nobuffer` would drop everything up to the third key frame.
        analyzeduration: "0",
        probesize: "32768",
      };
    case "rtmp":
      return {
        protocol_whitelist: "rtmp,rtmps,tcp,tls",
        rw_timeout: microseconds(timeoutMs),
        analyzeduration: "1000000",
        probesize: "262144",
      };
    case "http":
      return {
        protocol_whitelist: "http,https,tcp,tls,crypto,data",
        format_whitelist: `${containers},hls`,
        rw_timeout: microseconds(timeoutMs),
        // A redirect would lead past the check of the address.
        max_redirects: "0",
        // Without it a recording in MPEG-TS reads as empty after the look at its end.
        multiple_requests: "1",
        analyzeduration: "1000000",
        probesize: "262144",
      };
  }
};

/** 8K and a little; a hostile header could ask for gigabytes. */
const pixelsMax = 8192 * 4608;
const emptyReadDelayMs = 10;

const failed = (code: number): Fault => new Fault("unavailable", new FFmpegError(code).message.toLowerCase());
/** A container that is not on the list is an invalid argument to FFmpeg. */
const failedToOpen = (code: number): Fault =>
  code === AVERROR_EINVAL ? new Fault("unavailable", "not a kind of video that may be opened") : failed(code);

const withOptions = async <T>(options: Record<string, string>, run: (dictionary: Dictionary) => Promise<T>): Promise<T> => {
  const dictionary = Dictionary.fromObject(options);
  try {
    return await run(dictionary);
  } finally {
    dictionary.free();
  }
};

const openDecoder = async (stream: Stream): Promise<{ readonly decoder: CodecContext; readonly codecName: string }> => {
  const codec = Codec.findDecoder(stream.codecpar.codecId);
  if (!codec) throw new Fault("unavailable", "there is no decoder for this kind of video");
  const decoder = new CodecContext();
  decoder.allocContext3(codec);
  decoder.parametersToContext(stream.codecpar);
  decoder.pktTimebase = stream.timeBase;
  // Frame threads delay the picture; setting `threadCount` after the opening loses frames and leaks.
  const code = await withOptions({ threads: "1", max_pixels: String(pixelsMax) }, (options) => decoder.open2(codec, options));
  if (code >= 0) return { decoder, codecName: codec.name ?? "unknown" };
  decoder.freeContext();
  throw failed(code);
};

const infoOf = (format: FormatContext, stream: Stream, codec: string, kind: MediaAddress["kind"]): MediaInfo => {
  const rate =
    stream.avgFrameRate.num > 0 && stream.avgFrameRate.den > 0 ? stream.avgFrameRate.num / stream.avgFrameRate.den : null;
  const isRecording = kind === "file" || (kind === "http" && format.duration > 0n);
  return {
    codec,
    width: stream.codecpar.width,
    height: stream.codecpar.height,
    ...(rate === null ? {} : { fps: Math.round(rate * 100) / 100 }),
    isRecording,
    // HLS arrives in bursts of a whole segment.
    isPaced: isRecording || format.iformat?.name === "hls",
  };
};

/** Sends packets to the decoder until a frame comes out. */
const createReader = (
  format: FormatContext,
  decoder: CodecContext,
  stream: Stream,
  info: MediaInfo,
  { clock, undecodable }: MediaOptions,
) => {
  const allocated = (): Packet => {
    const made = new Packet();
    made.alloc();
    return made;
  };
  let packet = allocated();
  const deferral = createDeferral();
  /** Packets that wait to be decoded, and such as are free again. */
  let waiting: Packet[] = [];
  const spare: Packet[] = [];
  const frame = new Frame();
  frame.alloc();
  const tickMs = (1000 * stream.timeBase.num) / stream.timeBase.den;
  // Multipart JPEG carries no time; its demuxer numbers the pictures as if there were 25 a second.
  const hasTime = !/^(mpjpeg|mjpeg|jpeg_pipe)$/.test(format.iformat?.name ?? "");
  // Bare H.264 in a file carries none either; its frames then follow one another at its rate.
  const stepMs = 1000 / (info.fps ?? 25);
  let lastMs: number | null = null;
  let hasEnded = false;

  const timeOf = (pts: bigint): number | null => {
    if (hasTime && pts !== AV_NOPTS_VALUE) lastMs = Number(pts) * tickMs;
    else if (info.isRecording) lastMs = lastMs === null ? 0 : lastMs + stepMs;
    else lastMs = null;
    return lastMs;
  };

  /** Arrival by timestamp: with B-frames a picture comes out some packets later than it went in. */
  const arrivals = new Map<bigint, { readonly arrivedAtMs: number; readonly arrivedMs: number }>();
  const arrivalsMax = 64;

  const describe = (): MediaFrame => {
    const arrived = arrivals.get(frame.pts) ?? { arrivedAtMs: clock.nowMs(), arrivedMs: clock.monotonicMs() };
    arrivals.delete(frame.pts);
    return { ptsMs: timeOf(frame.bestEffortTimestamp), width: frame.width, height: frame.height, ...arrived };
  };

  /** Decoding happens here, on another thread; taking the frame out afterwards costs nothing. */
  const send = async (sent: Packet): Promise<void> => {
    if ((await decoder.sendPacket(sent)) < 0) undecodable();
  };
  const forgetWaiting = (): void => {
    for (const each of waiting) {
      arrivals.delete(each.pts);
      each.unref();
    }
    spare.push(...waiting);
    waiting = [];
  };
  /** What the next picture is made of; the pictures on the way to it are not asked for. */
  const decodeWaiting = async (): Promise<void> => {
    for (const each of waiting) {
      await send(each);
      for (frame.unref(); decoder.receiveFrameSync(frame) >= 0; frame.unref()) if (frame.decodeErrorFlags !== 0) undecodable();
    }
    forgetWaiting();
  };

  /** Sends the packet on to the decoder, or lets it wait, and then tells of the frame that was skipped. */
  const take = async (isWanted: (arrivedMs: number) => boolean): Promise<MediaFrame | null> => {
    const arrived = { arrivedAtMs: clock.nowMs(), arrivedMs: clock.monotonicMs() };
    const { pts, isKeyframe: isKey } = packet;
    arrivals.set(pts, arrived);
    const oldest = arrivals.keys().next().value;
    if (arrivals.size > arrivalsMax && oldest !== undefined) arrivals.delete(oldest);
    const when = deferral.take({ isKey, pts: pts === AV_NOPTS_VALUE ? null : pts }, isWanted(arrived.arrivedMs));
    if (isKey) forgetWaiting();
    if (when === "now") {
      await decodeWaiting();
      await send(packet);
      packet.unref();
      return null;
    }
    waiting.push(packet);
    packet = spare.pop() ?? allocated();
    return { ptsMs: timeOf(pts), width: decoder.width, height: decoder.height, ...arrived, isSkipped: true };
  };

  /** What a packet gave at once: a frame that was skipped, `end` at the end of the stream, or nothing. */
  const feed = async (isWanted: (arrivedMs: number) => boolean): Promise<MediaFrame | "end" | null> => {
    const code = await format.readFrame(packet);
    if (code === AVERROR_EAGAIN) {
      await delay(clock, emptyReadDelayMs);
      return null;
    }
    if (code < 0 && code !== AVERROR_EOF) throw failed(code);
    if (code < 0) {
      await decoder.sendPacket(null);
      return "end";
    }
    if (packet.streamIndex === stream.index && packet.size > 0) return take(isWanted);
    packet.unref();
    return null;
  };

  const next = async (isWanted: (arrivedMs: number) => boolean = () => true): Promise<MediaFrame | null> => {
    for (;;) {
      frame.unref();
      const code = decoder.receiveFrameSync(frame);
      if (code >= 0 && frame.decodeErrorFlags === 0) return describe();
      if (code >= 0 || (code !== AVERROR_EAGAIN && code !== AVERROR_EOF)) undecodable();
      if (code === AVERROR_EOF || (hasEnded && code < 0)) return null;
      if (hasEnded || code >= 0) continue;
      const fed = await feed(isWanted);
      if (fed === "end") hasEnded = true;
      else if (fed) return fed;
    }
  };

  const free = () => {
    for (const each of [packet, ...waiting, ...spare]) each.free();
    frame.free();
  };
  return { next, frame, free };
};

const openFormat = async ({ kind, target }: MediaAddress, { signal, timeoutMs }: MediaOptions): Promise<FormatContext> => {
  const format = new FormatContext();
  // Allocated before the opening, because only then does an interrupt reach a connect or a handshake that hangs.
  format.allocContext();
  const interrupt = () => format.interrupt();
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    const opened = await withOptions(optionsFor(kind, timeoutMs), (options) => format.openInput(target, null, options));
    signal.throwIfAborted();
    if (opened < 0) throw failedToOpen(opened);
    const found = await format.findStreamInfo(null);
    signal.throwIfAborted();
    if (found < 0) throw failed(found);
    return format;
  } catch (thrown) {
    await format.closeInput();
    throw thrown;
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
};

/** Opens a file or a network stream. Rejects when `signal` aborts, as soon as native code lets go. */
export const openMedia: OpenMedia = async (address, options) => {
  options.signal.throwIfAborted();
  const format = await openFormat(address, options);
  const stream = format.streams[format.findBestStream(AVMEDIA_TYPE_VIDEO)];
  if (!stream) {
    await format.closeInput();
    throw new Fault("unavailable", "there is no video in it");
  }
  const { decoder, codecName } = await openDecoder(stream).catch(async (thrown: unknown) => {
    await format.closeInput();
    throw thrown;
  });
  const info = infoOf(format, stream, codecName, address.kind);
  const reader = createReader(format, decoder, stream, info, options);
  const scaler = createScaler();
  let pending: Promise<unknown> = Promise.resolve();

  const media: Media = {
    info,
    next(isWanted) {
      const frame = reader.next(isWanted);
      pending = frame.catch(() => {}); // its failure is told to whoever waits for the frame
      return frame;
    },
    write: (frames, lease) => scaler.write(reader.frame, frames, lease),
    interrupt: () => format.interrupt(),
    async close() {
      // Freeing a context that another thread reads from would end the process.
      await pending;
      scaler.close();
      reader.free();
      decoder.freeContext();
      await format.closeInput();
    },
  };
  return media;
};
