/** Starts the real program as a person would, and listens to it. */
import { join } from "node:path";
import { connectLive, type LiveClient } from "../../edge/client.ts";
import type { DataOfClient, ServerMessage } from "../../protocols/websocket.ts";
import { systemClock } from "../../runtime/clock.ts";
import { systemRandom } from "../../runtime/random.ts";
import { tempDir } from "./temp-dir.ts";
import { within } from "./wait.ts";

export const root = join(import.meta.dir, "../..");

export type LogLine = { readonly event?: string; readonly [field: string]: unknown };

export type Vedette = AsyncDisposable & {
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  readonly lines: readonly LogLine[];
  readonly errors: () => string;
  /** Waits for a line that was or will be printed. */
  readonly line: (event: string, matches?: (line: LogLine) => boolean, limitMs?: number) => Promise<LogLine>;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly exited: Promise<number>;
  readonly get: (path: string) => Promise<Response>;
};

export type StartOptions = {
  /** Kept between starts when given, else made and removed. */
  readonly dataDir?: string;
  /** `a.b=c` settings. Cameras: none unless named. */
  readonly set?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Written as a file and given by `--config`. */
  readonly config?: string;
  readonly cwd?: string;
  /** The log line that ends the wait; the address is known from `server.listening` on. */
  readonly until?: string;
};

/**
 * The cameras that a process opened, in order, under which epoch. Of states that follow each other at once only the last may
 * be told, so any of them counts.
 */
export const openings = (it: Vedette): readonly { readonly id: number; readonly epoch: number }[] => {
  const found = new Map<string, { readonly id: number; readonly epoch: number }>();
  for (const { event, cameraId, ownerEpoch } of it.lines)
    if (event === "camera.state") found.set(`${cameraId} ${ownerEpoch}`, { id: Number(cameraId), epoch: Number(ownerEpoch) });
  return [...found.values()];
};

/** Resolves when the address is printed; rejects when the process ends before. */
export const startVedette = async (options: StartOptions = {}): Promise<Vedette> => {
  const directory = await tempDir();
  const dataDir = options.dataDir ?? join(directory.path, "data");
  const args = [...(options.args ?? [])];
  if (options.config !== undefined) {
    const path = join(directory.path, "test.yaml");
    await Bun.write(path, options.config);
    args.push("--config", path);
  }
  for (const set of [`data.dir=${dataDir}`, "server.port=0", ...(options.set ?? [])]) args.push("--set", set);
  const child = Bun.spawn([process.execPath, join(root, "edge/main.ts"), ...args], {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
    stdout: "pipe",
    stderr: "pipe",
  });

  const lines: LogLine[] = [];
  let errors = "";
  const read = async (stream: ReadableStream<Uint8Array>, take: (text: string) => void) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
  };
  let rest = "";
  const stdoutEnded = read(child.stdout, (text) => {
    const whole = (rest + text).split("\n");
    rest = whole.pop() ?? "";
    for (const line of whole) lines.push(line.startsWith("{") ? (JSON.parse(line) as LogLine) : { text: line });
  });
  const stderrEnded = read(child.stderr, (text) => {
    errors += text;
  });
  let ended: number | null = null;
  const exited = child.exited.then(async (status) => {
    await Promise.all([stdoutEnded, stderrEnded]);
    ended = status;
    return status;
  });

  const line: Vedette["line"] = (event, matches = () => true, limitMs = 30_000) =>
    within(limitMs, `a log line ${event}`, () => {
      const found = lines.find((each) => each.event === event && matches(each));
      if (!found && ended !== null)
        throw new Error(
          `the process ended with ${ended} before ${event}: ${errors}\n${lines
            .slice(-5)
            .map((each) => JSON.stringify(each))
            .join("\n")}`,
        );
      return found;
    });
  const dispose = async () => {
    if (ended === null) child.kill("SIGKILL");
    await exited;
    await directory[Symbol.asyncDispose]();
  };
  try {
    const { url } = await line(options.until ?? "server.listening", undefined, 60_000);
    return {
      url: String(url),
      dataDir,
      pid: child.pid,
      lines,
      errors: () => errors,
      line,
      kill: (signal) => void child.kill(signal),
      exited,
      get: (path) => fetch(`${url}${path}`),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (thrown) {
    await dispose();
    throw thrown;
  }
};

export type Ran = { readonly status: number; readonly out: string; readonly err: string };

/** Runs one of our programs to its end. */
export const runProgram = async (
  entry: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> => {
  const child = Bun.spawn([process.execPath, join(root, entry), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [status, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status, out, err };
};

/** A start that is refused. */
export const runVedette = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  runProgram("edge/main.ts", args, env);

export type Viewer = Disposable & {
  readonly client: LiveClient;
  readonly messages: ServerMessage[];
  /** Waits for a message that was or will be received. */
  readonly message: <Type extends ServerMessage["type"]>(
    type: Type,
    matches?: (data: Extract<ServerMessage, { type: Type }>["data"]) => boolean,
    limitMs?: number,
  ) => Promise<Extract<ServerMessage, { type: Type }>["data"]>;
};

/** A WebSocket client that keeps what it hears. */
export const view = (url: string, subscribe?: DataOfClient<"subscribe">): Viewer => {
  const messages: ServerMessage[] = [];
  const client = connectLive({
    url: `${url.replace("http", "ws")}/ws`,
    clock: systemClock,
    random: systemRandom,
    message: (message) => messages.push(message),
    ...(subscribe ? { subscribe } : {}),
  });
  return {
    client,
    messages,
    message: (type, matches = () => true, limitMs = 30_000) =>
      within(limitMs, `a message ${type}`, () => {
        const found = messages.find((each) => each.type === type && matches(each.data as never));
        return found?.data as never;
      }),
    [Symbol.dispose]: () => client.close(),
  };
};
