/** One step of a call, by itself. */
export interface Case {
  readonly step: string
  /** What one call of `run` does so often. */
  readonly times?: number
  /** Microseconds the same took on the slow machine that the budget of a call was planned on. */
  readonly planned?: number
  /** Microseconds the original system publishes for its compiled code, on its own machine. */
  readonly original?: number
  /** Most microseconds that ours may take. */
  readonly atMost?: number
  /** Prepares, and returns what is measured. */
  make(): () => unknown
}
