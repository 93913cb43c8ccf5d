/** What can be wrong with a log, by weight: of several the first one is the verdict. */
const KINDS = ['fork', 'tampered', 'truncated', 'missing', 'incomplete'] as const

export type FaultKind = (typeof KINDS)[number]

/** What is said of a log as a whole. */
export type Verdict = 'ok' | FaultKind

const CODES = { ok: 0, tampered: 1, truncated: 2, fork: 3, incomplete: 4, missing: 5 } as const

/** The exit code of `hoosh audit verify`. */
export type VerdictCode = (typeof CODES)[Verdict]

/** The first line or entry that is wrong, as far as it can be told. */
export interface Finding {
  /** Line of the log, from 1; null where no line of it is at fault. */
  readonly line: number | null
  readonly writer: string | null
  readonly seq: number | null
  readonly reason: string
}

export interface Findings {
  add(kind: FaultKind, finding: Finding): void
  result(): { readonly code: VerdictCode; readonly verdict: Verdict; readonly firstBad: Finding | null }
}

/** Keeps the first of each kind. */
export function createFindings(): Findings {
  const first = new Map<FaultKind, Finding>()
  return {
    add(kind, finding) {
      if (!first.has(kind)) first.set(kind, finding)
    },
    result() {
      const verdict = KINDS.find((kind) => first.has(kind)) ?? 'ok'
      return { code: CODES[verdict], verdict, firstBad: verdict === 'ok' ? null : first.get(verdict)! }
    },
  }
}
