import type { Finding } from '@hoosh/core/storage'
import { amountOf, texts } from './rows.js'
import { CREDIT_BOOKS, CREDIT_ENTRIES, CREDITED } from './scripts/check-credits.js'
import type { Script } from './scripts/script.js'
import type { Reply } from './server.js'

/** Runs a script of a look at the books. */
export type Ask = (script: Script, args: readonly string[]) => Promise<Reply>

const WRONG: Readonly<Record<string, string>> = {
  left: 'what is left of them cannot be read',
  given: 'what was given cannot be read',
  beyond: 'of one less than nothing is left, or more than was given',
}

/**
 * What was given to each pool is what is left of it, what it pays of the pool's windows, and what has expired. Entries and windows
 * end after a while: as long as all entries of its credits are there, none is missing; else it is never more.
 *
 * @param windows those that were seen of each pool
 */
export async function checkCredits(ask: Ask, windows: ReadonlyMap<string, readonly string[]>): Promise<Finding[]> {
  const findings: Finding[] = []
  for (let cursor = '0'; ; ) {
    const [, next, names] = await ask(CREDITED, [cursor])
    for (const name of texts(names)) findings.push(...(await creditsOf(ask, name, windows.get(name) ?? [])))
    cursor = String(next)
    if (cursor === '0') return findings
  }
}

/** Entries are gone through page by page first: whatever comes meanwhile is seen in the one step that looks at the credits. */
async function creditsOf(ask: Ask, pool: string, seen: readonly string[]): Promise<Finding[]> {
  const windows = new Set(seen)
  const sums = [0, 0, 0]
  let from = '-'
  for (;;) {
    const [, starts, ...figures] = await ask(CREDIT_ENTRIES, [pool, from])
    const [given, tokens, nanoUsd, count, last] = texts(figures) as [string, string, string, string, string]
    for (const start of texts(starts)) windows.add(start)
    for (const [at, figure] of [given, tokens, nanoUsd].entries()) sums[at]! += Number(figure)
    from = last
    if (Number(count) === 0) break
  }
  const words = [pool, from, ...sums.map(String), String(windows.size), ...windows]
  const [, given, found, many, told, wrong] = await ask(CREDIT_BOOKS, words)
  const what = WRONG[String(wrong)]
  const isWhole = Number(told) >= Number(many)
  const [expected, come] = [amountOf(given), amountOf(found)]
  const findings = (['tokens', 'nanoUsd'] as const).flatMap((unit): Finding[] => {
    const isRight = isWhole ? come[unit] === expected[unit] : come[unit] <= expected[unit]
    return isRight ? [] : [{ code: 'credit', pool, unit, found: come[unit], expected: expected[unit] }]
  })
  return what === undefined ? findings : [{ code: 'credit', pool, what }, ...findings]
}
