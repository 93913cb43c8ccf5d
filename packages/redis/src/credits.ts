import {
  type BudgetStore,
  type Credited,
  checkCredit,
  checkRefund,
  HooshError,
  type NewCredit,
  type NewRefund,
  type PoolAsk,
  type Refunded,
  wholeAmount,
} from '@hoosh/core/storage'
import { asked, type BudgetParts, MOST_TRIES, noteStale, unexpected, windowWords } from './asking.js'
import { refusalOf } from './refusals.js'
import { givenOf, holdOf, stateOf } from './rows.js'
import { CREDIT, REFUND } from './scripts/credits.js'

/** What pools are given, and given back. */
export function redisCredits(parts: BudgetParts): Pick<BudgetStore, 'credit' | 'refund'> {
  return {
    credit: (pool, credit, now) => give(parts, pool, credit, now),
    refund: (refund) => giveBack(parts, refund),
  }
}

async function give(parts: BudgetParts, pool: PoolAsk, credit: NewCredit, now: number): Promise<Credited> {
  const { book } = parts
  const { name, terms } = pool
  const { id, expiresAt, note } = credit
  const { tokens, nanoUsd } = wholeAmount(credit.amount)
  const given = [id, String(tokens), String(nanoUsd), expiresAt === null ? '' : String(expiresAt), ...noteWords(note)]
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const override = book.override(name)
    const window = windowWords(book.read(override) ?? terms, now)
    const reply = await asked(parts, CREDIT, [name, book.write(terms), override, ...window, ...given])
    if (noteStale(book, reply, [pool])) continue
    const refusal = refusalOf(reply, { id, now, stateOf: never })
    if (refusal !== null) throw refusal
    if (reply[0] === 'refused') {
      const [, row, state, at] = reply
      const known = (row as unknown[]).length === 0 ? undefined : { id, ...givenOf(row) }
      // Throws: the script decides by the same rules.
      checkCredit(credit, known, stateOf(state, book, terms).credits, Number(at))
    }
    if (reply[0] !== 'credited') throw unexpected(reply)
    return { repeated: String(reply[1]) !== '', pool: stateOf(reply[2], book, terms) }
  }
  throw new HooshError('store_unavailable', { message: 'Terms change too often; try again.' })
}

async function giveBack(parts: BudgetParts, refund: NewRefund): Promise<Refunded> {
  const { id, reservation, note } = refund
  const { tokens, nanoUsd } = wholeAmount(refund.amount)
  const words = [reservation, id, String(tokens), String(nanoUsd), ...noteWords(note)]
  const reply = await asked(parts, REFUND, words)
  const refusal = refusalOf(reply, { id: reservation, now: 0, stateOf: never })
  if (refusal !== null) throw refusal
  // Throws: the script decides by the same rules.
  if (reply[0] === 'refused') checkRefund(holdOf(reply[1]), refund)
  if (reply[0] !== 'refunded') throw unexpected(reply)
  return {
    repeated: String(reply[1]) !== '',
    pools: (reply[2] as unknown[]).map((state) => stateOf(state, parts.book)),
  }
}

function noteWords(note: string | null): string[] {
  return note === null ? [''] : ['note', note]
}

function never(): never {
  throw unexpected(['a refusal'])
}
