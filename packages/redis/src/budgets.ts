import {
  type Amount,
  type Ask,
  type BudgetStore,
  checkRepeated,
  type ExpiredReservation,
  freezing,
  type Grant,
  HooshError,
  type PoolAsk,
  type PoolState,
  type PoolTerms,
  type Reservation,
  type ReserveRequest,
  released,
  reversalOf,
  type Settlement,
  settled,
  strangeEntry,
  unknownPool,
  wholeAmount,
} from '@hoosh/core/storage'
import { asked, type BudgetParts, MOST_TRIES, noteStale, unexpected, windowWords } from './asking.js'
import { redisCredits } from './credits.js'
import { refusalOf } from './refusals.js'
import { amountOf, entryOf, expiredOf, holdOf, poolsOf, reservationOf, stateOf, texts, usageOf } from './rows.js'
import { DEFINE, END, EXPIRE, FORGET, REDEFINE } from './scripts/endings.js'
import { EXTEND, RENEW, RESERVE } from './scripts/holds.js'
import { ENTRIES, FIND, FIND_OLDEST, LIST, OVERRIDES, READ } from './scripts/reads.js'
import type { Script } from './scripts/script.js'
import type { Reply } from './server.js'
import type { TermsBook } from './terms.js'

/** What need not be answered at once: sweeps, heartbeats, lists. Times of the usual patience. */
const CALM = 10

/** The ledger in Redis: each operation is one script, so no two ever meet inside of one. */
export function redisBudgets(parts: BudgetParts): BudgetStore {
  return {
    reserve: (request) => reserve(parts, request),
    extend: (id, ask) => extend(parts, id, ask),
    renew: (running, leaseMs) => renew(parts, running, leaseMs),
    settle: (id, actual) => end(parts, id, wholeAmount(actual)),
    release: (id) => end(parts, id, 'release'),
    expire: (policy) => expire(parts, policy),
    read: (pools, now) => read(parts, pools, now),
    list: (filter) => list(parts, filter),
    async entries(pool, { limit, before = '' }) {
      if (before !== '' && !/^\d{1,16}-\d{1,10}$/.test(before)) throw strangeEntry()
      if (limit < 1) return []
      const [, rows] = await said(parts, ENTRIES, [pool, before, String(limit)], 'entries', CALM)
      return (rows as unknown[]).map((row) => entryOf(pool, row))
    },
    find: (query) => find(parts, query),
    ...redisCredits(parts),
    async define(pool, terms) {
      const text = parts.book.write(terms)
      await said(parts, DEFINE, [pool, text], 'defined')
      parts.book.noteOverride(pool, text)
    },
    freeze: (pool, frozen) => freeze(parts, pool, frozen),
    async forget(pool) {
      const [, gone] = await said(parts, FORGET, [pool], 'forgotten', CALM)
      parts.book.noteOverride(pool, '')
      return String(gone) !== ''
    },
    overrides: () => overrides(parts),
  }
}

async function said(
  parts: BudgetParts,
  script: Script,
  args: readonly string[],
  word: string,
  patience?: number,
): Promise<Reply> {
  const reply = await asked(parts, script, args, patience)
  if (reply[0] !== word) throw unexpected(reply)
  return reply
}

async function reserve(parts: BudgetParts, request: ReserveRequest): Promise<Grant> {
  const { server, book } = parts
  const { id, owner, phase, leaseMs, onExpire, maxOpen, call, now } = request
  const pools = withoutRepetition(request.pools)
  const facts = call === undefined ? '' : JSON.stringify(call)
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    await parts.ready()
    const reply = await asked(parts, RESERVE, [
      String(server.time() + server.graceMs()),
      id,
      owner,
      phase,
      String(leaseMs),
      onExpire,
      maxOpen === undefined ? '' : String(maxOpen),
      facts,
      ...askWords(request.ask),
      String(pools.length),
      ...pools.flatMap((pool) => poolWords(book, pool, now)),
    ])
    if (reply[0] === 'late') continue
    if (noteStale(book, reply, pools)) continue
    if (reply[0] === 'known') return repeated(parts, request, reply)
    const stateAt = (row: unknown, at: number) => stateOf(row, book, pools[at]!.terms)
    const refusal = refusalOf(reply, { id, maxOpen, now, stateOf: stateAt })
    if (refusal !== null) throw refusal
    return grantOf(parts, reply, pools)
  }
  throw new HooshError('store_unavailable', { message: 'Redis answers too late; try again.' })
}

function repeated({ book }: BudgetParts, request: ReserveRequest, [, row, states]: Reply): Grant {
  const first = holdOf(row)
  checkRepeated({ ...first, pools: poolsOf(first) }, request)
  return {
    outputTokens: first.outputTokens,
    held: first.held,
    leaseUntil: first.leaseUntil,
    pools: (states as unknown[]).map((state) => stateOf(state, book)),
    expired: [],
  }
}

function grantOf({ book }: BudgetParts, [word, ...rest]: Reply, pools?: readonly PoolAsk[]): Grant {
  if (word !== 'granted') throw unexpected([word])
  const [output, row, states, expired] = rest as [unknown, unknown, unknown[], unknown[]]
  const { held, leaseUntil } = holdOf(row)
  return {
    outputTokens: Number(output),
    held,
    leaseUntil,
    pools: states.map((state, at) => stateOf(state, book, pools?.[at]?.terms)),
    expired: expired.map((ended) => expiredOf(ended, book)),
  }
}

function withoutRepetition(pools: readonly PoolAsk[]): readonly PoolAsk[] {
  if (pools.length < 2) return pools
  return pools.filter(({ name }, index) => pools.findIndex((other) => other.name === name) === index)
}

function askWords({ fixed, each, floor, wish, atMost, plenty }: Ask): string[] {
  const words = [fixed.tokens, fixed.nanoUsd, each.tokens, each.nanoUsd, floor, wish, atMost].map(String)
  return plenty === undefined ? [...words, '', ''] : [...words, String(plenty.tokens), String(plenty.nanoUsd)]
}

/** A pool as a reserve names it: its window is that of the terms which count as far as is known here. */
function poolWords(book: TermsBook, { name, terms }: PoolAsk, now: number): string[] {
  const override = book.override(name)
  const inForce = book.read(override) ?? terms
  const lasts = inForce?.window === null || terms?.window === null
  return [name, book.write(terms), override, lasts ? 'lasts' : '', ...windowWords(inForce, now)]
}

async function extend(parts: BudgetParts, id: string, more: Ask): Promise<Grant> {
  const reply = await asked(parts, EXTEND, [id, ...askWords(more)])
  const now = Number(parts.clock() || parts.server.time())
  const refusal = refusalOf(reply, { id, now, stateOf: (row) => stateOf(row, parts.book) })
  if (refusal !== null) throw refusal
  return grantOf(parts, reply)
}

async function renew(
  parts: BudgetParts,
  running: readonly { id: string; counted: Amount }[],
  leaseMs: number,
): Promise<string[]> {
  const words = running.flatMap(({ id, counted }) => [id, String(counted.tokens), String(counted.nanoUsd)])
  const reply = await said(parts, RENEW, [String(leaseMs), String(running.length), ...words], 'renewed', CALM)
  return texts(reply[1])
}

async function end(parts: BudgetParts, id: string, actual: Amount | 'release'): Promise<Settlement> {
  const words = actual === 'release' ? ['release', ''] : [String(actual.tokens), String(actual.nanoUsd)]
  const reply = await asked(parts, END, [id, ...words])
  if (reply[0] === 'conflict') {
    const standing = holdOf(reply[1])
    // Throws: the script decides by the same rules.
    if (actual === 'release') released(standing)
    else settled(standing, actual)
  }
  const refusal = refusalOf(reply, { id, now: 0, stateOf: never })
  if (refusal !== null) throw refusal
  return settlementOf(parts, reply)
}

function settlementOf({ book }: BudgetParts, [word, ...rest]: Reply): Settlement {
  if (word !== 'ended') throw unexpected([word])
  const [outcome, overrun, isRepeated, row, states] = rest as [unknown, unknown, unknown, unknown, unknown[]]
  const lost = String(outcome) === 'corrected' ? usageOf(holdOf(row)) : null
  return {
    outcome: String(outcome) as Settlement['outcome'],
    overrun: amountOf(overrun),
    repeated: String(isRepeated) !== '',
    pools: states.map((state) => stateOf(state, book)),
    ...(lost !== null && { reversal: reversalOf(lost) }),
  }
}

async function expire(
  parts: BudgetParts,
  { onExpire, limit }: Parameters<BudgetStore['expire']>[0],
): Promise<ExpiredReservation[]> {
  const reply = await said(parts, EXPIRE, [onExpire, String(limit)], 'expired', CALM)
  return (reply[1] as unknown[]).map((ended) => expiredOf(ended, parts.book))
}

async function read(parts: BudgetParts, pools: readonly PoolAsk[], now: number): Promise<PoolState[]> {
  const { book } = parts
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const reply = await asked(parts, READ, [
      String(pools.length),
      ...pools.flatMap(({ name, terms }) => {
        const override = book.override(name)
        return [name, override, ...windowWords(book.read(override) ?? terms, now)]
      }),
    ])
    if (noteStale(book, reply, pools)) continue
    if (reply[0] !== 'states') throw unexpected(reply)
    return (reply[1] as unknown[]).map((row, at) => {
      const { name, terms } = pools[at]!
      if (terms === null && book.override(name) === '') throw unknownPool(name)
      return stateOf(row, book, terms)
    })
  }
  throw new HooshError('store_unavailable', { message: 'Terms change too often to be read; try again.' })
}

async function list(
  parts: BudgetParts,
  { limit, after = '', now }: Parameters<BudgetStore['list']>[0],
): Promise<PoolState[]> {
  const { book } = parts
  const [, rows] = await said(parts, LIST, [after, String(limit)], 'names', CALM)
  const pools = (rows as unknown[]).map((row): PoolAsk => {
    const [name, override, template] = texts(row) as [string, string, string]
    book.noteOverride(name, override)
    return { name, terms: book.read(template) ?? book.read(override) }
  })
  return pools.length === 0 ? [] : read(parts, pools, now)
}

async function find(parts: BudgetParts, query: Parameters<BudgetStore['find']>[0]): Promise<Reservation | null> {
  const reply = await ('id' in query ? asked(parts, FIND, [query.id]) : asked(parts, FIND_OLDEST, soughtWords(query)))
  return reply[0] === 'found' ? reservationOf(holdOf(reply[1])) : null
}

function soughtWords({ owner, pool, amount }: { owner: string; pool: string; amount: Partial<Amount> }): string[] {
  return [owner, pool, String(amount.tokens ?? 0), String(amount.nanoUsd ?? 0)]
}

/** Decided here by the override that is known; where another one counts by then, once more by that. */
async function freeze(parts: BudgetParts, pool: PoolAsk, frozen: boolean): Promise<PoolTerms | null> {
  const { book } = parts
  await read(parts, [pool], 0)
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const before = book.override(pool.name)
    const terms = freezing(pool, book.read(before), frozen)
    const text = book.write(terms)
    const reply = await asked(parts, REDEFINE, [pool.name, before, text])
    if (noteStale(book, reply, [pool])) continue
    if (reply[0] !== 'defined') throw unexpected(reply)
    book.noteOverride(pool.name, text)
    return terms
  }
  throw new HooshError('store_unavailable', { message: 'Terms change too often to be changed; try again.' })
}

async function overrides(parts: BudgetParts): Promise<{ name: string; terms: PoolTerms }[]> {
  const { book } = parts
  const [, flat] = await said(parts, OVERRIDES, [], 'overrides', CALM)
  const words = texts(flat)
  const all = new Map<string, string>()
  for (let at = 0; at < words.length; at += 2) all.set(words[at]!, words[at + 1]!)
  book.noteOverrides(all)
  return [...all].map(([name, text]) => ({ name, terms: book.read(text)! })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function never(): never {
  throw unexpected(['a refusal'])
}
