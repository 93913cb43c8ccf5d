import { NO_REFUNDS } from './ending.js'
import { allKept, type KeptAccounts, kept } from './kept-accounts.js'
import type { Held } from './memory-books.js'
import { ring } from './ring.js'

/** The reservations of one process by id: all that are open, and of the ended those that are remembered. */
export interface Reservations {
  get(id: string): Held | undefined
  /** Gives a row to an open one. */
  enter(held: Held): void
  /** Takes one that has ended off the open ones. The one that ended longest ago may be forgotten for it. */
  retire(held: Held): void
  /** In no order. */
  open(): IterableIterator<Held>
}

/** Figures in a row: `held`, `counted` and `charged` in both units, output tokens, end of the lease. */
const WIDTH = 8

/**
 * An open reservation is an object. One that has ended is a row of figures in arrays that stay: ten thousand objects that
 * outlive their calls are copied twice by the garbage collector, and that costs more than all else that the ledger does.
 * What may still change stays an object: the expired, whose settle is to come, and what took from credits or is mixed.
 *
 * @param maxEnded how many are remembered; the expired apart, as many
 */
export function memoryReservations(maxEnded: number): Reservations {
  const rows = new Map<string, number>()
  const free: number[] = []
  const ended = ring<number>(maxEnded)
  const expired = ring<number>(maxEnded)
  /** By row. */
  const objects: (Held | undefined)[] = []
  const ids: string[] = []
  const owners: string[] = []
  const phases: Held['phase'][] = []
  const states: Held['state'][] = []
  const accounts: KeptAccounts[] = []
  const figures: number[] = []

  return {
    get(id) {
      const row = rows.get(id)
      if (row === undefined) return undefined
      objects[row] ??= unpacked(row)
      return objects[row]
    },
    enter(held) {
      const row = free.pop() ?? newRow()
      held.row = row
      objects[row] = held
      ids[row] = held.id
      rows.set(held.id, row)
    },
    retire(held) {
      const { row, state } = held
      if (isFinal(held)) pack(held)
      const gone = (state === 'expired' ? expired : ended).push(row)
      if (gone !== undefined) forget(gone)
    },
    *open() {
      for (const held of objects) if (held?.state === 'held') yield held
    },
  }

  function newRow(): number {
    const row = objects.push(undefined) - 1
    for (let figure = 0; figure < WIDTH; figure++) figures.push(0)
    return row
  }

  function pack(ended: Held): void {
    const { row, held, counted, charged } = ended
    objects[row] = undefined
    owners[row] = ended.owner
    phases[row] = ended.phase
    states[row] = ended.state
    accounts[row] = kept(ended.accounts)
    const from = row * WIDTH
    figures[from] = held.tokens
    figures[from + 1] = held.nanoUsd
    figures[from + 2] = counted.tokens
    figures[from + 3] = counted.nanoUsd
    figures[from + 4] = charged.tokens
    figures[from + 5] = charged.nanoUsd
    figures[from + 6] = ended.outputTokens
    figures[from + 7] = ended.leaseUntil
  }

  function unpacked(row: number): Held {
    const from = row * WIDTH
    const amount = (at: number) => ({ tokens: figures[from + at]!, nanoUsd: figures[from + at + 1]! })
    return {
      row,
      id: ids[row]!,
      owner: owners[row]!,
      phase: phases[row]!,
      state: states[row]!,
      held: amount(0),
      counted: amount(2),
      charged: amount(4),
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

  function forget(row: number): void {
    rows.delete(ids[row]!)
    objects[row] = undefined
    free.push(row)
  }
}

function isFinal({ state, draws, isMixed }: Held): boolean {
  return state !== 'expired' && draws === null && !isMixed
}
