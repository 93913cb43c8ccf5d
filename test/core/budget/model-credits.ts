import type { Amount, NewCredit, NewRefund, PoolTerms } from '@hoosh/core/storage'
import type { Model, Reserved } from './model.js'
import * as ledger from './model.js'
import { equal, minus, none, plus, units } from './model-amounts.js'

/** A credit by its definition: what is left is what was given, less what reservations have of it, less what has vanished. */
export interface Credit extends NewCredit {
  pool: string
  vanished: Amount
}

/** What a credit pays of a reservation in one pool and unit. */
export interface Portion {
  unit: keyof Amount
  credit: string
  amount: number
}

function leftOf({ reservations }: Model, { pool, id, amount, vanished }: Credit): Amount {
  const left = minus(amount, vanished)
  for (const { funds } of reservations.values()) {
    for (const portion of funds.get(pool) ?? []) if (portion.credit === id) left[portion.unit] -= portion.amount
  }
  return left
}

/** Those of a pool that can be spent, the soonest to expire first. */
export function live(model: Model, pool: string) {
  const all = model.credits.filter((credit) => credit.pool === pool && endOf(credit) > model.now)
  return all
    .map((credit) => ({ ...credit, left: leftOf(model, credit) }))
    .filter(({ left }) => !equal(left, none))
    .sort((a, b) => endOf(a) - endOf(b) || (a.id < b.id ? -1 : 1))
}

const endOf = ({ expiresAt }: { expiresAt: number | null }) => expiresAt ?? Number.MAX_VALUE

/** What credits pay of all that stands for a window. */
export function drawnIn(model: Model, pool: string, start: number): Amount {
  const drawn = { ...none }
  for (const { windows, funds } of model.reservations.values()) {
    if (windows.get(pool) !== start) continue
    for (const { unit, amount } of funds.get(pool) ?? []) drawn[unit] += amount
  }
  return drawn
}

/** Who pays for one unit of a reservation, the soonest to end first; of those that end together the window is the first. */
function inTurn<Payer extends { end: number; isWindow: boolean; id: string }>(payers: Payer[]): Payer[] {
  return payers.sort((a, b) => a.end - b.end || Number(b.isWindow) - Number(a.isWindow) || (a.id < b.id ? -1 : 1))
}

const windowEndOf = (model: Model, pool: string, start: number) =>
  model.ends.get(`${pool} ${start}`) ?? Number.MAX_VALUE

/** Takes what a grant needs from credits. The accounts are those before it, in the order of the pools. */
export function fund(
  model: Model,
  held: Reserved,
  amount: Amount,
  accounts: ({ terms: PoolTerms } & ReturnType<typeof ledger.figures>)[],
): void {
  for (const [at, [pool, start]] of [...held.windows].entries()) {
    const account = accounts[at]!
    const credits = live(model, pool)
    const portions = held.funds.get(pool) ?? []
    for (const unit of units) {
      if (account.terms.capacity[unit] === undefined) continue
      const room = Math.max(0, ledger.roomOf(account)[unit])
      const payers = inTurn([
        { id: '', isWindow: true, end: windowEndOf(model, pool, start), has: room },
        ...credits.map((credit) => ({ id: credit.id, isWindow: false, end: endOf(credit), has: credit.left[unit] })),
      ])
      let need = amount[unit]
      for (const { id, isWindow, has } of payers) {
        const pays = Math.min(need, has)
        need -= pays
        if (!isWindow && pays > 0) portions.push({ unit, credit: id, amount: pays })
      }
    }
    held.funds.set(pool, portions)
  }
}

/** What stands for an amount now stands for another: the soonest to end pay for that, and the others have theirs back. */
export function spend(model: Model, held: Reserved, from: Amount, to: Amount): void {
  for (const [pool, start] of held.windows) {
    const portions = held.funds.get(pool) ?? []
    const kept: Portion[] = []
    for (const unit of units) {
      const own = portions.filter((portion) => portion.unit === unit)
      const paid = own.reduce((sum, portion) => sum + portion.amount, 0)
      const byCredit = new Map<string, number>()
      for (const { credit, amount } of own) byCredit.set(credit, (byCredit.get(credit) ?? 0) + amount)
      const payers = inTurn([
        { id: '', isWindow: true, end: windowEndOf(model, pool, start), has: from[unit] - paid },
        ...[...byCredit].map(([id, has]) => {
          const credit = model.credits.find((one) => one.pool === pool && one.id === id)!
          return { id, isWindow: false, end: endOf(credit), has }
        }),
      ])
      let rest = to[unit]
      for (const { id, isWindow, has } of payers) {
        const pays = Math.min(rest, has)
        rest -= pays
        if (!isWindow && pays > 0) kept.push({ unit, credit: id, amount: pays })
      }
    }
    held.funds.set(pool, kept)
  }
}

/** What is left of credits that have expired is gone for good. */
export function sweep(model: Model): void {
  for (const credit of model.credits) {
    if (endOf(credit) <= model.now) credit.vanished = plus(credit.vanished, leftOf(model, credit))
  }
}

export function credit(model: Model, pool: string, template: PoolTerms | null, given: NewCredit) {
  const terms = model.overrides.get(pool) ?? template
  if (terms === null) return ledger.refuse('unknown_pool')
  const known = model.credits.find((one) => one.pool === pool && one.id === given.id)
  const isSame = known?.expiresAt === given.expiresAt && known.note === given.note && equal(known.amount, given.amount)
  if (known !== undefined && !isSame) return ledger.refuse('entry_conflict')
  if (known === undefined) {
    if (equal(given.amount, none) || endOf(given) <= model.now) return ledger.refuse('invalid_request')
    model.credits.push({ ...given, pool, vanished: none })
    const { id: reference, amount, note } = given
    const entry = {
      reservation: null,
      pool,
      start: null,
      kind: 'credit',
      amount,
      overrun: none,
      reference,
      note,
    } as const
    model.entries.push(entry)
  }
  const start = ledger.windowStart(terms.window, model.now)
  return { repeated: known !== undefined, pools: [{ name: pool, start, ...ledger.figures(model, pool, start) }] }
}

export function refund(model: Model, { id, reservation, amount, note }: NewRefund) {
  const held = model.reservations.get(reservation)
  if (held === undefined) return ledger.refuse('not_held')
  const known = held.refunds.find((one) => one.id === id)
  if (known !== undefined && !(equal(known.amount, amount) && known.note === note))
    return ledger.refuse('entry_conflict')
  if (known === undefined) {
    if (held.state === 'held') return ledger.refuse('reservation_conflict')
    const net = ledger.netOf(model, held)
    if (equal(amount, none) || units.some((unit) => amount[unit] > net[unit])) return ledger.refuse('invalid_request')
    ledger.change(model, held, 'refund', minus(none, amount), none, { reference: id, note })
    held.refunds.push({ id, amount, note })
  }
  return { repeated: known !== undefined, pools: ledger.poolsOf(model, held) }
}
