import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AuditStore, WriterHead } from './store.js'

type Heads = Pick<AuditStore, 'heads'>

/** Chains that are read at a time: a millisecond. Dead ones stay, so that there are thousands after a year of restarts. */
const PAGE = 100

/** All chains, page by page, each read when it is asked for; the event loop has its turn in between. */
export async function* headPages(store: Heads): AsyncGenerator<readonly WriterHead[]> {
  // A row that somebody spoiled so that it sorts elsewhere must not lead round in a circle.
  const ends = new Set<string>()
  for (let afterWriter: string | undefined; ; ) {
    const page = await store.heads({ ...(afterWriter !== undefined && { afterWriter }), limit: PAGE })
    yield page
    afterWriter = page.at(-1)?.writer
    if (page.length < PAGE || afterWriter === undefined || ends.has(afterWriter)) return
    ends.add(afterWriter)
    await nextTurn()
  }
}

/** One chain as it is stored now. */
export async function storedHead(store: Heads, writer: string): Promise<WriterHead | undefined> {
  return (await store.heads({ writer })).find((head) => head.writer === writer)
}
