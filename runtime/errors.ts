/** Operating errors: one class, one table of codes. Broken invariants are plain `Error`s and end in the supervisor. */

const codes = {
  bad_json: { status: 400, retryable: false },
  unknown_type: { status: 400, retryable: false },
  invalid_field: { status: 400, retryable: false },
  unknown_camera: { status: 404, retryable: false },
  source_refused: { status: 400, retryable: false },
  too_large: { status: 413, retryable: false },
  rate_limited: { status: 429, retryable: true },
  unauthorized: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  conflict: { status: 409, retryable: false },
  camera_limit: { status: 409, retryable: false },
  unavailable: { status: 503, retryable: true },
  internal: { status: 500, retryable: false },
} as const;

export type FaultCode = keyof typeof codes;

/** An operating error with a stable code. Messages are lower case and say what was expected and what was seen. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: FaultCode,
    text: string,
    options: { readonly cause?: unknown; readonly details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(text, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Fault";
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return codes[this.code].status;
  }

  get retryable(): boolean {
    return codes[this.code].retryable;
  }
}

/** The text of whatever was thrown. */
export const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** Ends the process with `status` and one line; thrown during start only. 78 configuration, 70 internal, 1 other. */
export class StartRefused extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.name = "StartRefused";
    this.status = status;
  }
}
