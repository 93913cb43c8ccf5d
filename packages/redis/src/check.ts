import { type BookCheck, type Finding, type FindingCode, HooshError } from '@hoosh/core/storage'
import { checkCredits } from './check-credits.js'
import { amountOf, texts } from './rows.js'
import { ACCOUNT, ACCOUNTS, ADD_UP, HOLDS } from './scripts/check.js'
import type { Script } from './scripts/script.js'
import { type Reply, SCHEMA, type Server, settingsOf } from './server.js'

export interface CheckParts {
  readonly server: Server
  /** As scripts take it: '' for the server's own. */
  clock(): string
}

/** Most findings of a code. */
const MOST = 100
/** Sweeps may have failed for so long before a lease that ran out is worth a word, ms. */
const OVERDUE_MS = 60_000
/** What the clocks of a gateway and the server may differ by, ms. */
const SKEW_MS = 300_000
/** Nobody waits for it. Times of the usual silence. */
const CALM = 50

const UNITS = ['tokens', 'nanoUsd'] as const

/**
 * `BudgetStore.check`: each account and each reservation in a script of its own, so that nothing moves in between. What an
 * account has used can be proved only while all its entries are there; else it is at least what the entries left come to.
 */
export async function checkLedger(parts: CheckParts): Promise<BookCheck> {
  const findings: Finding[] = []
  const counts = new Map<FindingCode, number>()
  const note = (found: readonly Finding[]) => {
    for (const finding of found) {
      const count = (counts.get(finding.code) ?? 0) + 1
      counts.set(finding.code, count)
      if (count <= MOST) findings.push(finding)
    }
  }
  note(await settingsOf(parts.server))
  const windows = new Map<string, string[]>()
  const looked = { accounts: 0, 'open reservations': 0, 'ended reservations': 0, entries: 0 }
  for (let cursor = '0'; ; ) {
    const [word, next, rows] = await ask(parts, ACCOUNTS, [cursor])
    if (word === 'schema') return { findings: [...findings, schemaFinding(String(next))], looked: {} }
    for (const row of rows as unknown[]) {
      const [name, start] = texts(row) as [string, string]
      windows.set(name, [...(windows.get(name) ?? []), start])
      const { found, entries } = await checkAccount(parts, name, start)
      note(found)
      looked.accounts += 1
      looked.entries += entries
    }
    cursor = String(next)
    if (cursor === '0') break
  }
  note(await checkCredits((script, args) => ask(parts, script, args), windows))
  for (let cursor = '0'; ; ) {
    const [, next, opened, ended, wrong] = await ask(parts, HOLDS, [cursor, String(OVERDUE_MS)])
    looked['open reservations'] += Number(opened)
    looked['ended reservations'] += Number(ended)
    note((wrong as unknown[]).map(holdFinding))
    cursor = String(next)
    if (cursor === '0') return { findings, looked }
  }
}

function ask({ server, clock }: CheckParts, script: Script, args: readonly string[]): Promise<Reply> {
  // Nothing is kept, so for how long does not matter.
  return server.run(script, ['0', clock(), ...args], { silentMs: CALM * server.silentMs })
}

function schemaFinding(found: string): Finding {
  return { code: 'schema', found: found === '' ? 0 : found, expected: SCHEMA }
}

/** Entries are added up page by page first: whatever comes meanwhile is seen in the one step that looks at the account. */
async function checkAccount(parts: CheckParts, pool: string, start: string) {
  const sums = { tokens: 0, nanoUsd: 0, overrun: { tokens: 0, nanoUsd: 0 }, entries: 0 }
  let from = '-'
  const add = (page: unknown): number => {
    const [tokens, nanoUsd, overTokens, overNanoUsd, count, last] = texts(page) as [string, ...string[]]
    sums.tokens += Number(tokens)
    sums.nanoUsd += Number(nanoUsd)
    sums.overrun.tokens += Number(overTokens)
    sums.overrun.nanoUsd += Number(overNanoUsd)
    sums.entries += Number(count)
    from = last!
    return Number(count)
  }
  for (;;) {
    const [, page] = await ask(parts, ADD_UP, [pool, start, from])
    if (add(page) === 0) break
  }
  const reply = await ask(parts, ACCOUNT, [pool, start, from])
  // A window that is long over ends on its own.
  if (reply[0] === 'gone') return { found: [], entries: 0 }
  if (reply[0] !== 'account') throw unexpected(reply)
  const [, used, held, holds, open, counted, ends, page, since, caps] = reply
  add(page)
  const isWhole = ends !== '' && since !== '' && Number(start) > Number(since) + SKEW_MS
  const place = { pool, windowStart: Number(start), windowEnd: ends === '' ? null : Number(ends) }
  const found = accountFindings({
    place,
    used: amountOf(used),
    held: amountOf(held),
    holds: amountOf(holds),
    sums,
    isWhole,
  })
  if (Number(open) !== Number(counted))
    found.push({
      code: 'orphan',
      ...place,
      what: `it counts ${Number(open)} open reservations, and has ${Number(counted)}`,
    })
  if (caps === 'unreadable') found.push({ code: 'terms', pool, found: 'no JSON with a capacity' })
  else if (isWhole) found.push(...capacityFindings(place, amountOf(used), amountOf(held), sums.overrun, texts(caps)))
  return { found, entries: sums.entries }
}

type Amount = ReturnType<typeof amountOf>
type Place = Pick<Finding, 'pool' | 'windowStart' | 'windowEnd'>

interface AccountFigures {
  readonly place: Place
  readonly used: Amount
  readonly held: Amount
  /** What its open holds come to, and its entries. */
  readonly holds: Amount
  readonly sums: Amount
  /** Every entry of it is still there. */
  readonly isWhole: boolean
}

function accountFindings({ place, used, held, holds, sums, isWhole }: AccountFigures): Finding[] {
  return UNITS.flatMap((unit) => {
    const found: Finding[] = []
    if (held[unit] !== holds[unit])
      found.push({ code: 'held', ...place, unit, found: held[unit], expected: holds[unit] })
    if (isWhole ? used[unit] !== sums[unit] : used[unit] < sums[unit])
      found.push({ code: 'used', ...place, unit, found: used[unit], expected: sums[unit] })
    if (held[unit] < 0) found.push({ code: 'negative', ...place, unit, found: held[unit], what: 'held' })
    if (used[unit] < 0) found.push({ code: 'negative', ...place, unit, found: used[unit], what: 'used' })
    return found
  })
}

function capacityFindings(
  place: Place,
  used: Amount,
  held: Amount,
  overrun: Amount,
  caps: readonly string[],
): Finding[] {
  return UNITS.flatMap((unit, at): Finding[] => {
    if (caps[at] === '') return []
    const [found, expected] = [used[unit] + held[unit], Number(caps[at]) + overrun[unit]]
    return found > expected ? [{ code: 'capacity', ...place, unit, found, expected }] : []
  })
}

function holdFinding(row: unknown): Finding {
  const [code, reservation, pool, what] = texts(row) as [FindingCode, string, string, string]
  const place = { code, reservation, ...(pool !== '' && { pool }) }
  return code === 'overdue' ? { ...place, found: what } : { ...place, what }
}

function unexpected([word]: Reply): HooshError {
  return new HooshError('store_unavailable', { message: `Redis answered "${word}", which is no answer to this.` })
}
