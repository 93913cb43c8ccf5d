import type { Amount } from '../amount.js'

/** Rows of so many figures each, one behind the other in an array that stays: see `memory-reservations.ts`. */
export function addRow(figures: number[], width: number): void {
  for (let figure = 0; figure < width; figure++) figures.push(0)
}

/** An amount takes two figures. */
export function putAmount(figures: number[], at: number, { tokens, nanoUsd }: Amount): void {
  figures[at] = tokens
  figures[at + 1] = nanoUsd
}

export function amountAt(figures: readonly number[], at: number): Amount {
  return { tokens: figures[at]!, nanoUsd: figures[at + 1]! }
}
