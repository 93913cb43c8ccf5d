import { type Amount, minus, nothing, plus, sameAmount } from '../amount.js'
import { checkCredit, drawnBy, drawsOf, isOver, liveCredits, mergedDraws, undrawn } from './credits.js'
import { netCharge } from './ending.js'
import { type Account, stateOf } from './memory-account.js'
import type { Books, Held, Pool } from './memory-books.js'
import type { About } from './memory-postings.js'
import type { Credit, Draw, NewCredit, PoolAsk } from './store.js'

/** Most credits whose end one sweep enters. */
const MOST_ENDED = 100

/** Gives a credit to the pool of an account that `accountFor` has made; returns whether it only repeats one. */
export function give(books: Books, { pool, terms }: Account, ask: PoolAsk, credit: NewCredit, at: number): boolean {
  const { id, amount, expiresAt, note } = credit
  const live = liveCredits(pool.credits?.values() ?? [], at)
  if (checkCredit(credit, pool.credits?.get(id), live, at)) return true
  books.pools.set(pool.name, pool)
  pool.template ??= ask.terms ?? terms
  pool.credits ??= new Map()
  pool.credits.set(id, { id, amount, left: amount, expiresAt, note })
  if (expiresAt !== null) books.expiring.add(pool)
  enter(books, pool, { id, note }, 'credit', amount, at)
  return false
}

/** Whether any of their pools was ever given a credit. */
export function haveCredits(accounts: readonly Account[]): boolean {
  for (const { pool } of accounts) if (pool.credits !== null) return true
  return false
}

/** Takes what a hold needs from the credits of its pools, before it is held; null where it needs none. */
export function draw(accounts: readonly Account[], amount: Amount, at: number): Held['draws'] {
  if (!haveCredits(accounts)) return null
  const draws = accounts.map((account) => drawsOf(amount, stateOf(account, at)))
  for (const [index, account] of accounts.entries()) move(account, draws[index]!, minus)
  return draws
}

/** The same for more of a hold. */
export function drawMore(held: Held, amount: Amount, at: number): void {
  const more = draw(held.accounts, amount, at)
  if (more !== null) held.draws = more.map((draws, index) => mergedDraws(held.draws?.[index] ?? [], draws))
}

/** Gives back what a step that changes `used` by so much leaves undrawn, before it does. */
export function giveBack(books: Books, held: Held, draws: readonly (readonly Draw[])[], charged: Amount): void {
  const from = netCharge(held)
  const to = held.state === 'held' ? charged : plus(from, charged)
  held.draws = draws.map((of, index) => {
    const account = held.accounts[index]!
    const change = undrawn(of, from, to, account.windowEnd)
    if (change === null) return of
    move(account, change.back, plus)
    if (change.back.some(({ expiresAt }) => expiresAt !== null)) books.expiring.add(account.pool)
    return change.kept
  })
}

/** Enters what was left of credits when they expired. */
export function endCredits(books: Books, at: number): void {
  let ended = 0
  for (const pool of books.expiring) {
    let isExpiring = false
    for (const credit of pool.credits?.values() ?? []) {
      if (credit.expiresAt === null) continue
      if (!isOver(credit.expiresAt, at)) isExpiring = true
      else if (!sameAmount(credit.left, nothing)) {
        if (ended === MOST_ENDED) return
        ended += 1
        enter(books, pool, credit, 'credit_expired', credit.left, at)
        pool.credits!.set(credit.id, { ...credit, left: nothing })
      }
    }
    if (!isExpiring) books.expiring.delete(pool)
  }
}

function move(account: Account, draws: readonly Draw[], change: (left: Amount, draw: Amount) => Amount): void {
  const { pool, drawn } = account
  for (const draw of draws) {
    const credit = pool.credits!.get(draw.credit)!
    pool.credits!.set(credit.id, { ...credit, left: change(credit.left, draw) })
  }
  const sum = drawnBy(draws)
  account.drawn = change === plus ? minus(drawn, sum) : plus(drawn, sum)
}

function enter(
  books: Books,
  { name }: Pool,
  { id, note }: Pick<Credit, 'id' | 'note'>,
  kind: 'credit' | 'credit_expired',
  amount: Amount,
  at: number,
): void {
  const about: About = { pool: name, reference: id, note }
  books.postings.push({ reservation: null, accounts: [], about, kind, amount, overrun: nothing, at })
}
