import { type Draw, NO_REFUNDS, type Refund } from '@hoosh/core/storage'
import type { Held } from './books.js'

/** What few reservations have, as the column `beside` of each of their rows keeps it. */
interface Beside {
  readonly draws?: readonly Draw[]
  /** The same in each row. */
  readonly refunds?: readonly Refund[]
}

/** Null for nearly all. */
export function besideText({ draws, refunds }: Pick<Held, 'draws' | 'refunds'>, place: number): string | null {
  if (draws === null && refunds.length === 0) return null
  return JSON.stringify({ draws: draws?.[place] ?? [], refunds } satisfies Beside)
}

/** From the rows of a reservation, in their order. */
export function besideOf(texts: readonly unknown[]): Pick<Held, 'draws' | 'refunds'> {
  if (texts.every((text) => text === null)) return { draws: null, refunds: NO_REFUNDS }
  const parts = texts.map((text): Beside => (text === null ? {} : (JSON.parse(String(text)) as Beside)))
  return { draws: parts.map(({ draws = [] }) => draws), refunds: parts[0]!.refunds ?? NO_REFUNDS }
}
