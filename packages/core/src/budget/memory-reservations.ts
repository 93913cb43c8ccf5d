import { NO_REFUNDS } from './ending.js'
import { addRow, amountAt, putAmount } from './figures.js'
import { allKept, type KeptAccounts, kept } from './kept-accounts.js'
import type { Held } from './memory-books.js'
import { type Ring, ring } from './ring.js'

/**
 * The reservations of one process: all that are open, and of the ended those that are remembered.
 *
 * An open one is an object. One that has ended is a row of figures in arrays that stay: ten thousand objects that outlive
 * their calls are copied twice by the garbage collector, and that costs more than all else that the ledger does. What may
 * still change stays an object: the expired, whose settle is to come, and what took from credits or is mixed.
 */
export interface Reservations {
  readonly rows: Map<string, number>
  readonly free: number[]
  /** What is forgotten next, by row: the expired apart, since their settle is still to come. */
  readonly ended: Ring<number>
  readonly expired: Ring<number>
  /** By row, as all that follow. Absent where there are figures instead. */
  readonly objects: (Held | undefined)[]
  readonly ids: string[]
  readonly owners: string[]
  readonly phases: Held['phase'][]
  readonly states: Held['state'][]
  readonly accounts: KeptAccounts[]
  readonly figures: number[]
}

/** Figures in a row: `held`, `counted` and `charged` in both units, output tokens, end of the lease. */
const WIDTH = 8

/** @param maxEnded how many are remembered; the expired apart, as many */
export function memoryReservations(maxEnded: number): Reservations {
  return {
    rows: new Map(),
    free: [],
    ended: ring(maxEnded),
    expired: ring(maxEnded),
    objects: [],
    ids: [],
    owners: [],
    phases: [],
    states: [],
    accounts: [],
    figures: [],
  }
}

export function reservationIn(book: Reservations, id: string): Held | undefined {
  const row = book.rows.get(id)
  if (row === undefined) return undefined
  book.objects[row] ??= unpacked(book, row)
  return book.objects[row]
}

/** Those that are still held, in no order. */
export function* openReservations({ objects }: Reservations): Generator<Held> {
  for (const held of objects) if (held?.state === 'held') yield held
}

/** Enters an open one. */
export function enterReservation(book: Reservations, held: Held): void {
  const row = book.free.pop() ?? newRow(book)
  held.row = row
  book.objects[row] = held
  book.ids[row] = held.id
  book.rows.set(held.id, row)
}

/** Takes one that has ended off the open ones. The one that ended longest ago may be forgotten for it. */
export function retireReservation(book: Reservations, held: Held): void {
  const { row, state, draws, isMixed } = held
  if (state !== 'expired' && draws === null && !isMixed) pack(book, held)
  const gone = (state === 'expired' ? book.expired : book.ended).push(row)
  if (gone === undefined) return
  book.rows.delete(book.ids[gone]!)
  book.objects[gone] = undefined
  book.free.push(gone)
}

function newRow({ objects, figures }: Reservations): number {
  addRow(figures, WIDTH)
  return objects.push(undefined) - 1
}

function pack({ objects, owners, phases, states, accounts, figures }: Reservations, ended: Held): void {
  const { row, held, counted, charged } = ended
  objects[row] = undefined
  owners[row] = ended.owner
  phases[row] = ended.phase
  states[row] = ended.state
  accounts[row] = kept(ended.accounts)
  const from = row * WIDTH
  putAmount(figures, from, held)
  putAmount(figures, from + 2, counted)
  putAmount(figures, from + 4, charged)
  figures[from + 6] = ended.outputTokens
  figures[from + 7] = ended.leaseUntil
}

function unpacked({ ids, owners, phases, states, accounts, figures }: Reservations, row: number): Held {
  const from = row * WIDTH
  return {
    row,
    id: ids[row]!,
    owner: owners[row]!,
    phase: phases[row]!,
    state: states[row]!,
    held: amountAt(figures, from),
    counted: amountAt(figures, from + 2),
    charged: amountAt(figures, from + 4),
    corrected: null,
    accounts: allKept(accounts[row]!),
    outputTokens: figures[from + 6]!,
    leaseUntil: figures[from + 7]!,
    call: undefined,
    lost: undefined,
    draws: null,
    refunds: NO_REFUNDS,
    isMixed: false,
  }
}
