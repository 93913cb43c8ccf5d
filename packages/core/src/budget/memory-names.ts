import type { Books } from './memory-books.js'

/** The next names in order. A million of them are looked through, not sorted: that would stop the process for seconds. */
export function firstNames(books: Books, limit: number, last: string | undefined): string[] {
  let page: string[] = []
  let cut: string | undefined
  const trim = () => {
    page = page.sort((a, b) => (a < b ? -1 : 1)).slice(0, limit)
    if (page.length === limit) cut = page.at(-1)
  }
  const consider = (name: string) => {
    if ((last !== undefined && name <= last) || (cut !== undefined && name >= cut)) return
    if (page.push(name) >= 2 * limit) trim()
  }
  for (const name of books.pools.keys()) consider(name)
  for (const name of books.overrides.keys()) if (!books.pools.has(name)) consider(name)
  trim()
  return page
}
