import type { Rule } from './rule.js'

/** Whatever is written like a stand-in; whether it is one, the call knows. */
export const STAND_IN: Rule = {
  name: 'stand_in',
  level: 'public',
  family: 'standIns',
  pattern: '\\[[A-Z][A-Z0-9-]{0,39}-[0-9]{1,6}\\]',
}

/** Stand-ins for values of one call, and what they stand for. Lives as long as the call; nothing of it is kept. */
export interface Pseudonyms {
  /** The same stand-in for the same value: `[EMAIL-1]`. */
  of(name: string, value: string): string
  /** Values by stand-in. */
  readonly values: ReadonlyMap<string, string>
}

/** Numbers of a word that are tried; a text that already holds all of them was made to. */
const MOST = 100_000

/**
 * Numbered by the word they are written with, which several names may share (`person` and `Person`), in the order of
 * first use, so that a conversation that grows keeps its stand-ins.
 *
 * @param isTaken whether the request already holds a text that looks like this stand-in
 */
export function createPseudonyms(isTaken: (standIn: string) => boolean): Pseudonyms {
  const standIns = new Map<string, string>()
  const values = new Map<string, string>()
  const numbers = new Map<string, number>()
  return {
    values,
    of(name, value) {
      const word = name.toUpperCase().replaceAll('_', '-')
      const key = `${word}\n${value}`
      const known = standIns.get(key)
      if (known !== undefined) return known
      let number = numbers.get(word) ?? 0
      let standIn: string
      do {
        number += 1
        standIn = `[${word}-${number}]`
      } while (number < MOST && isTaken(standIn))
      numbers.set(word, number)
      standIns.set(key, standIn)
      values.set(standIn, value)
      return standIn
    },
  }
}
