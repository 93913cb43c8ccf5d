/** Where a command writes; lines without their newline. */
export interface Output {
  out(text: string): void
  err(text: string): void
}

/** One command: gets what stands behind its name, answers with the exit code. */
export interface Command {
  /** The words that call it. */
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** Its arguments, for who used it wrongly. */
  readonly usage: string
  /**
   * Answers with the exit code, or with what is wrong with its arguments. That, or what it throws over a file it cannot read,
   * is printed with its usage; the exit code is 64 then. A HooshError says itself what is wrong, see `failureOf`.
   */
  run(args: readonly string[], output: Output): number | string | Promise<number | string>
}

/** What was asked for cannot be done with what is there. */
export const FAILED_CODE = 1

/** Wrong arguments, or files that cannot be read (`EX_USAGE` of sysexits.h). */
export const USAGE_CODE = 64

/** A database or server that does not answer, or whose driver is not installed (`EX_UNAVAILABLE`). */
export const UNAVAILABLE_CODE = 69
