/** What `doctor` says about one thing. */

export type Finding = {
  readonly name: string;
  /** `fail` keeps the system from working as it is configured; `warn` costs something; `skip` is not configured. */
  readonly status: "ok" | "warn" | "fail" | "skip";
  readonly detail: string;
  /** What to do, when there is something to do. */
  readonly mend?: string;
};
