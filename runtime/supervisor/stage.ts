/** A leaf of the tree: one actor, and its way in from a topic. */

import { isAway, whenUp } from "../bus-outage.ts";
import type { CellOwner, Failure } from "../cell/failure.ts";
import { Cell } from "../cell.ts";
import { type Cancel, delay } from "../clock.ts";
import { reasonOf } from "../errors.ts";
import type { Holdings } from "../holdings.ts";
import { type Inlet, openInlet, type TakesFrom } from "../inlet.ts";
import { recentMessages } from "../recent.ts";
import type { Restart, StageSpec } from "../tree.ts";
import type { NodePorts, OnFailure, Route, TreeNode } from "./node.ts";
import { before, type Phase } from "./phases.ts";

/** A failed cell is on its way to its next incarnation. */
const stateOf = {
  starting: "starting",
  running: "running",
  failed: "restarting",
  ended: "stopped",
  stopped: "stopped",
} as const;

const lookAgainMs = 10;
/** A start that takes longer goes on while others begin. */
const startMs = 5_000;
const tryAgainMs = 1_000;

// A class for its size, like the cell.
export class StageNode implements TreeNode, Route, CellOwner {
  readonly #spec: StageSpec;
  readonly #ports: NodePorts;
  readonly #cell: Cell;
  readonly #onFailure: OnFailure;
  #restarts = -1;
  #lastError: string | undefined;
  #inlet: Inlet | null = null;
  #joining: Promise<Inlet> | null = null;
  /** The start in force; one that was begun before a halt is void. */
  #start = 0;
  #cancelRetry: Cancel = () => {};
  #awaitsBus = false;
  /** How far its end has come. */
  #phase: Phase | null = null;

  constructor(spec: StageSpec, path: string, key: string, ports: NodePorts, onFailure: OnFailure) {
    this.#spec = spec;
    this.#ports = ports;
    this.#onFailure = onFailure;
    this.#cell = new Cell(path, key, spec, spec.takes?.group && ports.isShared ? this.#reading(ports) : ports, this);
  }

  get path(): string {
    return this.#cell.path;
  }
  get restart(): Restart {
    return this.#spec.restart;
  }

  cellFailed(failure: Failure): void {
    if (!failure.isOrderly) this.#lastError = failure.reason;
    this.#onFailure(failure);
  }

  cellOf(): Cell {
    return this.#cell;
  }

  /**
   * A stage that takes a topic cannot work without the bus. While that is away the stage waits as `starting`, which is no
   * failure of it, and holds up neither the stages after it nor the restart of others.
   */
  async start(): Promise<void> {
    if (this.#cell.state === "stopped") return; // a source whose siblings are restarted while all comes to its end
    if (!this.#spec.takes) return this.#begin();
    const mine = ++this.#start;
    const waits = Promise.withResolvers<void>();
    let isLeft = false;
    const begun = this.#beginWhenUp(mine, waits.resolve).catch((thrown) => {
      if (!isLeft) throw thrown;
      if (mine !== this.#start) return;
      const reason = reasonOf(thrown);
      this.#ports.observer.failed(this.path, "start", reason, thrown instanceof Error ? thrown.stack : undefined);
      this.cellFailed({ path: this.path, key: this.#cell.key, reason, causeKeys: [] });
    });
    const { clock } = this.#ports;
    await before(clock, clock.monotonicMs() + startMs, Promise.race([begun, waits.promise]));
    isLeft = true;
  }

  async #beginWhenUp(mine: number, waits: () => void): Promise<void> {
    const { bus, clock } = this.#ports;
    while (mine === this.#start) {
      this.#awaitsBus = false;
      try {
        await this.#begin();
        return;
      } catch (thrown) {
        if (!isAway(thrown)) throw thrown;
        this.#awaitsBus = true;
        this.#lastError = reasonOf(thrown);
        waits();
        await new Promise<void>((resolve) => {
          this.#cancelRetry = whenUp(bus, clock, tryAgainMs, resolve);
        });
      }
    }
  }

  async #begin(): Promise<void> {
    if (this.#cell.state !== "running") {
      await this.#cell.start();
      this.#restarts++;
      this.#ports.routes.set(this.path, this);
    }
    const isLate = this.#phase !== null && !this.#joining; // at its end a stage joins no group
    if (this.#spec.takes && !isLate) await this.#join(this.#spec.takes);
  }

  #endStart(): void {
    this.#start++;
    this.#cancelRetry();
  }

  /** Once, also when the cell fails and starts again while its group is being joined. */
  async #join(takes: TakesFrom): Promise<void> {
    this.#joining ??= openInlet(takes, this.#cell, this.#spec, this.#ports);
    try {
      this.#inlet = await this.#joining;
    } catch (thrown) {
      this.#joining = null;
      throw thrown;
    }
    if (this.#phase) this.#inlet.pause();
    if (this.#phase === "commit" || this.#phase === "close") await this.#inlet.close();
  }

  /** With others on the same topic, a new incarnation asks after the keys that are its own. */
  #reading(ports: NodePorts): NodePorts {
    const { bus, codec } = ports;
    const none: Holdings = { partitions: new Set(), of: 1 };
    return {
      ...ports,
      recent: (topic, sinceMs) => recentMessages(bus, codec, topic, sinceMs, this.#inlet?.held() ?? none),
    };
  }

  halt(reason: string): Promise<void> {
    this.#endStart();
    return this.#within("release", "not given back", this.#cell.halt(reason));
  }

  async end(phase: Phase, reason: string, deadlineMs: number): Promise<void> {
    this.#phase = phase;
    const cell = this.#cell;
    const isOver = () => cell.state === "stopped" || this.#awaitsBus;
    switch (phase) {
      case "intake":
        this.#endStart();
        this.#inlet?.pause();
        if (this.#spec.definition.isSource) await this.#close(reason);
        return;
      case "drain":
        return this.#waitUntil(() => isOver() || cell.isDrained(), deadlineMs);
      case "settle":
        return this.#waitUntil(() => isOver() || (cell.isQuiet() && (this.#inlet?.inWork() ?? 0) === 0), deadlineMs);
      case "commit":
        if (this.#inlet) await this.#within("commit", "not committed", this.#inlet.close());
        return;
      case "close":
        return this.#close(reason);
    }
  }

  async #waitUntil(isDone: () => boolean, deadlineMs: number): Promise<void> {
    const { clock } = this.#ports;
    while (!isDone() && clock.monotonicMs() < deadlineMs) await delay(clock, lookAgainMs);
  }

  async #close(reason: string): Promise<void> {
    const { routes } = this.#ports;
    if (this.#cell.state === "stopped") return;
    this.#endStart();
    if (routes.get(this.path) === this) routes.delete(this.path);
    await this.#within("release", "not given back", this.#cell.stop(reason));
  }

  /** What outside code holds up is said, and waited for no longer than the stage's shutdown time. */
  async #within(type: string, failing: string, work: Promise<void>): Promise<void> {
    const { clock, observer } = this.#ports;
    const { shutdownMs } = this.#spec;
    const isDone = await before(clock, clock.monotonicMs() + shutdownMs, work);
    if (!isDone) observer.failed(this.path, type, `${failing} within ${shutdownMs} ms`, undefined);
  }

  snapshot(): ReturnType<TreeNode["snapshot"]> {
    const { name, takes } = this.#spec;
    const inlet = this.#inlet;
    return {
      name,
      state: stateOf[this.#cell.state],
      restarts: Math.max(0, this.#restarts),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      mailbox: this.#cell.mailbox(),
      ...(takes && inlet ? { takes: { topic: takes.topic.name, inWork: inlet.inWork(), oldestMs: inlet.oldestMs() } } : {}),
      children: [],
    };
  }

  cells(): readonly Cell[] {
    return [this.#cell];
  }
}
