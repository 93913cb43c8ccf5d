import { HooshError, type PoolAsk, type PoolTerms, windowAt } from '@hoosh/core/storage'
import { refusalOf } from './refusals.js'
import type { Script } from './scripts/script.js'
import type { Reply, Server } from './server.js'
import type { TermsBook } from './terms.js'

/** What the ledger is made of. */
export interface BudgetParts {
  readonly server: Server
  readonly book: TermsBook
  /** Looks at the server before the first step. */
  ready(): Promise<void> | undefined
  readonly keepMs: number
  /** The clock of leases as a script takes it: '' for the server's own. */
  clock(): string
}

/** Times that a step is asked anew because terms have changed or it came late: each time something else did happen. */
export const MOST_TRIES = 50

/** The answer to a step, refusals aside. */
export async function asked(parts: BudgetParts, script: Script, args: readonly string[], patience = 1): Promise<Reply> {
  const { server, keepMs, clock } = parts
  await parts.ready()
  const reply = await server.run(script, [String(keepMs), clock(), ...args], {
    silentMs: patience * server.silentMs,
  })
  if (reply[0] === 'schema')
    throw refusalOf(reply, {
      id: '',
      now: 0,
      stateOf: () => {
        throw unexpected(reply)
      },
    })
  return reply
}

export function unexpected([word]: Reply): HooshError {
  return new HooshError('store_unavailable', { message: `Redis answered "${word}", which is no answer to this.` })
}

export function windowWords(terms: PoolTerms | null, now: number): [start: string, ends: string] {
  if (terms === null) return ['0', '']
  const { start, end } = windowAt(terms, now)
  return [String(start), end === null ? '' : String(end)]
}

/** Learns of an override that was not known here; the step is to be asked anew. */
export function noteStale(book: TermsBook, [word, at, override]: Reply, pools: readonly PoolAsk[]): boolean {
  if (word !== 'stale') return false
  book.noteOverride(pools[Number(at) - 1]!.name, String(override))
  return true
}
