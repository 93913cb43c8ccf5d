import { type Draw, NO_REFUNDS, type Refund } from '@hoosh/core/storage'
import type { Held } from './books.js'

/** What few reservations have, as the column `beside` of each of their rows keeps it. */
interface Beside {
  readonly draws?: readonly Draw[]
  /** The same in each row. */
  readonly refunds?: readonly Refund[]
}

type Kept = Pick<Held, 'draws' | 'refunds' | 'unread'>

/** Null for nearly all. What could not be read stays as it is, for somebody to look at. */
export function besideText({ draws, refunds, unread }: Kept, place: number): string | null {
  if (unread !== null) return unread[place] ?? null
  if (draws === null && refunds.length === 0) return null
  return JSON.stringify({ draws: draws?.[place] ?? [], refunds } satisfies Beside)
}

/**
 * From the rows of a reservation, in their order. Where one of them cannot be read it has neither: what it drew on credits stays
 * drawn, whatever it is charged.
 */
export function besideOf(stored: readonly unknown[]): Kept {
  if (stored.every((text) => text === null)) return { draws: null, refunds: NO_REFUNDS, unread: null }
  const texts = stored.map((text) => (text === null ? null : String(text)))
  const parts = texts.map((text) => (text === null ? {} : readBeside(text)))
  if (parts.includes(null)) return { draws: null, refunds: NO_REFUNDS, unread: texts }
  return {
    draws: parts.map((part) => part?.draws ?? []),
    refunds: parts[0]?.refunds ?? NO_REFUNDS,
    unread: null,
  }
}

/** Null where it was damaged. */
export function readBeside(text: string): Beside | null {
  try {
    const beside = JSON.parse(text) as Beside
    const { draws = [], refunds = [] } = beside
    const isRead =
      typeof beside === 'object' && draws.every(isAmount) && refunds.every(({ amount }) => isAmount(amount))
    return isRead ? beside : null
  } catch {
    return null
  }
}

function isAmount({ tokens, nanoUsd }: { tokens: unknown; nanoUsd: unknown }): boolean {
  return Number.isSafeInteger(tokens) && Number.isSafeInteger(nanoUsd)
}
