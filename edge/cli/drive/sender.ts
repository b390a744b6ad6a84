/** Whatever `drive` sends by. */
export type Sender = AsyncDisposable & {
  /** Under which its messages come. */
  readonly cameraId: number;
  /** Throws what keeps it from sending. */
  readonly check: () => void;
  /** Nothing is sent after it. */
  readonly stop: () => void;
};
