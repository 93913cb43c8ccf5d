import type { Books } from './books.js'

/**
 * A number above those before it: of this process, and of the account. Between processes the clock decides, since one
 * counter for all would be one more row that everybody waits for.
 */
export function nextNumber(books: Books, atLeast = 0): number {
  books.lastEntry = Math.max(books.at * 1_000, books.lastEntry + 1, atLeast + 1)
  return books.lastEntry
}
