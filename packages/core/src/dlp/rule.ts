import type { DlpLevel } from '../options.js'

/** Longest match of a rule, in characters, without what continues it: with one more it is decided whether it matches. */
export const LONGEST_MATCH = 127

/** Something to look for. */
export interface Rule {
  readonly name: string
  readonly level: DlpLevel
  /**
   * Source of a regular expression without capturing groups, of matches of at most `LONGEST_MATCH` characters, and in
   * linear time on any text: what may repeat is bounded, and cannot begin anew inside a run of itself.
   */
  readonly pattern: string
  /** Rules of a family are looked for together; the one named first wins where two begin at one place. */
  readonly family: Family
  /** What only arithmetic can tell (checksums, ranges): how many characters of the match are one, 0 for none. */
  readonly check?: (match: string) => number
  /** Characters (the inside of a class) that belong to a match for as long as they follow it. */
  readonly more?: string
  /** The match goes on until this has come, or the text has ended. At most 100 characters long. */
  readonly until?: string
}

/** `words` may begin anywhere; the others only where no letter, digit or underscore stands before them. */
export type Family =
  | 'mail'
  | 'keys'
  | 'cards'
  | 'numbers'
  | 'accounts'
  | 'addresses'
  | 'words'
  | 'standIns'
  | 'custom'
  | 'customAnyCase'

const BY_CHANCE: ReadonlySet<Family> = new Set(['keys', 'custom', 'customAnyCase'])

/**
 * Whether a match in something opaque is one by chance: a key begins with so few letters that they come up inside of long
 * signatures, and there it would not stand behind others. What a host's own pattern asks for may be six digits.
 */
export function isChance({ family }: Rule, at: number): boolean {
  return BY_CHANCE.has(family) && at > 0
}
