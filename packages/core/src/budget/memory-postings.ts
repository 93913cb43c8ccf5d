import type { Amount } from '../amount.js'
import { addRow, amountAt, putAmount } from './figures.js'
import { allKept, type KeptAccounts, kept } from './kept-accounts.js'
import type { Account } from './memory-account.js'
import type { Entry } from './store.js'

/** What an entry is about that ends or mends no reservation, or was given by an id. */
export interface About {
  /** Whose credit it is; null where it is a refund. */
  readonly pool: string | null
  readonly reference: string
  readonly note: string | null
}

/** One step that ended or mended a reservation: an entry in each of its pools, made when somebody reads them. */
export interface Posting {
  /** Null where it is about a credit. */
  readonly reservation: string | null
  readonly accounts: readonly Account[]
  readonly about: About | null
  readonly kind: Entry['kind']
  readonly amount: Amount
  readonly overrun: Amount
  readonly at: number
}

/** The last postings, each with a number that counts up. */
export interface Postings {
  push(posting: Posting): void
  newestFirst(): IterableIterator<Posting & { readonly number: number }>
}

/** Figures in a row: `amount` and `overrun` in both units, `at`. */
const WIDTH = 5

/** In rows for the reason that `memoryReservations` gives; the newest is written over the oldest. */
export function memoryPostings(max: number): Postings {
  let count = 0
  /** By row. */
  const reservations: Posting['reservation'][] = []
  const accounts: KeptAccounts[] = []
  const abouts: Posting['about'][] = []
  const kinds: Posting['kind'][] = []
  const figures: number[] = []

  return {
    push(posting) {
      if (max === 0) return
      const row = count++ % max
      if (row === kinds.length) addRow(figures, WIDTH)
      reservations[row] = posting.reservation
      accounts[row] = kept(posting.accounts)
      abouts[row] = posting.about
      kinds[row] = posting.kind
      const from = row * WIDTH
      putAmount(figures, from, posting.amount)
      putAmount(figures, from + 2, posting.overrun)
      figures[from + 4] = posting.at
    },
    *newestFirst() {
      for (let number = count; number > Math.max(0, count - max); number--) yield unpacked(number)
    },
  }

  function unpacked(number: number): Posting & { readonly number: number } {
    const row = (number - 1) % max
    const from = row * WIDTH
    return {
      number,
      reservation: reservations[row]!,
      accounts: allKept(accounts[row]!),
      about: abouts[row]!,
      kind: kinds[row]!,
      amount: amountAt(figures, from),
      overrun: amountAt(figures, from + 2),
      at: figures[from + 4]!,
    }
  }
}
