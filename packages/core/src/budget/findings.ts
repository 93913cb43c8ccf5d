/**
 * What can be wrong with stored books. Broken promises: `schema`, `terms`, `held`, `used`, `negative`, `credit`, `entry`, `parts`,
 * `correction`, `orphan`, `damaged`, `cost`, `audit`. What somebody has to look at: `capacity`, `overdue`, `window`, `staged`, `setting`.
 */
export type FindingCode =
  | 'schema'
  | 'terms'
  | 'held'
  | 'used'
  | 'negative'
  | 'credit'
  | 'entry'
  | 'parts'
  | 'correction'
  | 'orphan'
  | 'damaged'
  | 'cost'
  | 'audit'
  | 'capacity'
  | 'overdue'
  | 'window'
  | 'staged'
  | 'setting'

/** One thing that was found, and where. */
export interface Finding {
  readonly code: FindingCode
  readonly pool?: string
  /** With `windowEnd` the window of the pool, ms; both absent where it is about all of them. */
  readonly windowStart?: number
  /** Null for a lifetime. */
  readonly windowEnd?: number | null
  readonly reservation?: string
  /** What the figures are of. Tokens, or nano-USD. */
  readonly unit?: 'tokens' | 'nanoUsd'
  /** What stands there, and what should: figures in `unit`, or words. */
  readonly found?: number | string
  readonly expected?: number | string
  /** What it is in particular, in a few words, where the code leaves that open. */
  readonly what?: string
}

/** What a look at the books came to. */
export interface BookCheck {
  /** At most 100 of a code, so that a broken database does not fill the memory. */
  readonly findings: readonly Finding[]
  /** How much there was to look at, by a word for it: `accounts`, `reservations`. */
  readonly looked: Readonly<Record<string, number>>
}
