import {
  type Amount,
  type Credit,
  checkCredit,
  type Draw,
  drawnBy,
  drawsOf,
  isOver,
  liveCredits,
  mergedDraws,
  minus,
  type NewCredit,
  NO_CREDITS,
  netCharge,
  nothing,
  type PoolAsk,
  type PoolState,
  plus,
  sameAmount,
  undrawn,
} from '@hoosh/core/storage'
import type { Account, Books, Correction, Held, Pool } from './books.js'
import { nextNumber } from './numbers.js'

/** Those of a pool that can be spent, of those that were read. */
export function creditsOf({ credits, at }: Pick<Books, 'credits' | 'at'>, { name }: Pool): readonly Credit[] {
  const known = credits.get(name)
  return known === undefined ? NO_CREDITS : liveCredits(known.values(), at)
}

/** Gives a credit to the pool of an account that `accountFor` has made; returns whether it only repeats one. */
export function give(books: Books, account: Account, ask: PoolAsk, credit: NewCredit): boolean {
  const { id, amount, expiresAt, note } = credit
  const pool = books.pools.get(account.pool.name) ?? account.pool
  if (checkCredit(credit, books.credits.get(pool.name)?.get(id), creditsOf(books, pool), books.at)) return true
  pool.template ??= ask.terms ?? pool.override
  books.pools.set(pool.name, pool)
  change(books, pool.name, { id, amount, left: amount, expiresAt, note })
  pool.creditEntry = Math.max(pool.creditEntry, account.lastEntry)
  enter(books, pool, 'credit', { id, note }, amount)
  return false
}

/** Takes what a hold needs from the credits of its pools, before it is held; null where it needs none. */
export function draw(
  books: Books,
  accounts: readonly Account[],
  states: readonly PoolState[],
  amount: Amount,
): Held['draws'] {
  if (states.every(({ credits }) => credits.length === 0)) return null
  const draws = states.map((state) => drawsOf(amount, state))
  for (const [index, account] of accounts.entries()) move(books, account, draws[index]!, minus)
  return draws
}

/** The same for more of a hold. */
export function drawMore(books: Books, held: Held, states: readonly PoolState[], amount: Amount): void {
  const more = draw(books, held.accounts, states, amount)
  if (more !== null) held.draws = more.map((draws, index) => mergedDraws(held.draws?.[index] ?? [], draws))
}

/** Gives back what a step that changes `used` by so much leaves undrawn, before it does. */
export function giveBack(books: Books, held: Held, draws: readonly (readonly Draw[])[], charged: Amount): void {
  const from = netCharge(held)
  const to = held.state === 'held' ? charged : plus(from, charged)
  held.draws = draws.map((of, index) => {
    const account = held.accounts[index]!
    const undone = undrawn(of, from, to, account.windowEnd)
    if (undone === null) return of
    move(books, account, undone.back, plus)
    return undone.kept
  })
}

/** Enters what was left of the credits of a pool that have expired. */
export function endCredits(books: Books, name: string): void {
  const pool = books.pools.get(name)!
  for (const credit of books.credits.get(name)?.values() ?? []) {
    if (!isOver(credit.expiresAt, books.at) || sameAmount(credit.left, nothing)) continue
    enter(books, pool, 'credit_expired', credit, credit.left)
    change(books, name, { ...credit, left: nothing })
  }
}

function move(
  books: Books,
  { pool, drawn }: Account,
  draws: readonly Draw[],
  by: (left: Amount, draw: Amount) => Amount,
): void {
  // A credit whose row is gone pays nothing, and takes nothing back.
  const known = draws.filter(({ credit }) => books.credits.get(pool.name)?.has(credit))
  for (const draw of known) {
    const credit = books.credits.get(pool.name)!.get(draw.credit)!
    change(books, pool.name, { ...credit, left: by(credit.left, draw) })
  }
  const sum = drawnBy(known)
  Object.assign(drawn, by === plus ? minus(drawn, sum) : plus(drawn, sum))
}

function change({ credits, changed }: Books, pool: string, credit: Credit): void {
  const known = credits.get(pool) ?? new Map<string, Credit>()
  credits.set(pool, known.set(credit.id, credit))
  changed.credits.set(pool, (changed.credits.get(pool) ?? new Set()).add(credit.id))
}

function enter(
  books: Books,
  pool: Pool,
  kind: Correction['kind'],
  { id, note }: Pick<Credit, 'id' | 'note'>,
  amount: Amount,
): void {
  const about = { reservation: id, windowStart: 0, overrun: nothing, reference: id, note }
  pool.creditEntry = nextNumber(books, pool.creditEntry)
  books.changed.pools.add(pool)
  books.changed.corrections.push({ kind, pool: pool.name, entry: pool.creditEntry, amount, ...about })
}
