import type { Finding } from '@hoosh/core/storage'
import type { Dialect } from '../dialect.js'
import type { Tables } from '../tables.js'

/** A row as drivers give it: whole numbers may come as bigint or text. */
export type Row = Readonly<Record<string, unknown>>

/** Most findings of one question. */
export const MOST = 100

/** A question to the tables whose every row is something wrong. */
export interface Look {
  /** Ends without a limit; it is given one. */
  readonly text: string
  readonly parameters?: readonly unknown[]
  findings(row: Row): Finding[]
}

/** What questions are asked with. */
export interface Asked {
  readonly dialect: Dialect
  readonly tables: Tables
  /** The store's clock, ms. */
  readonly at: number
}

/** Both units, as columns and findings name them. */
export const UNITS = [
  ['tokens', 'tokens'],
  ['nano_usd', 'nanoUsd'],
] as const

/** The window of a row, for a finding. */
export function placeOf(row: Row): Pick<Finding, 'pool' | 'windowStart' | 'windowEnd'> {
  return {
    pool: String(row.pool),
    windowStart: Number(row.window_start),
    ...(row.window_end !== undefined && { windowEnd: row.window_end === null ? null : Number(row.window_end) }),
  }
}
