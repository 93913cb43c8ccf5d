import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../time.js'
import type { Candidate, Route } from './route.js'

/** Shorter prompts no provider caches (1,024 tokens), bytes; of longer ones so much is compared. */
const PREFIX_BYTES = 4_096
/** How long providers keep a prompt's beginning at the least, ms. */
const WARM_MS = 300_000
/** Prompts remembered. */
const REMEMBERED = 10_000

/**
 * Remembers which route has last answered a long prompt of a caller, since that one has its beginning in its cache: for
 * strategies that would send the next turn of a conversation elsewhere.
 */
export interface Warmth {
  /** The candidates with the warm one in front, if it is among those of the first model. */
  prefer(candidates: Candidate[], who: string, request: Uint8Array): Candidate[]
  note(route: Route, who: string, request: Uint8Array): void
}

export function createWarmth(clock: Clock): Warmth {
  const warm = new LRUCache<string, { route: Route; at: number }>({ max: REMEMBERED })
  return {
    prefer(candidates, who, request) {
      if (candidates.length < 2 || request.length < PREFIX_BYTES) return candidates
      const known = warm.get(keyOf(who, request))
      if (known === undefined || clock() - known.at > WARM_MS) return candidates
      const at = candidates.findIndex(({ route, model }) => route === known.route && model === candidates[0]!.model)
      return at < 1 ? candidates : [candidates[at]!, ...candidates.slice(0, at), ...candidates.slice(at + 1)]
    },
    note(route, who, request) {
      if (request.length >= PREFIX_BYTES) warm.set(keyOf(who, request), { route, at: clock() })
    },
  }
}

/** A client writes its requests the same way each time, so their beginnings are those of the prompts. */
function keyOf(who: string, request: Uint8Array): string {
  return createHash('sha256').update(`${who}\n`).update(request.subarray(0, PREFIX_BYTES)).digest('base64')
}
