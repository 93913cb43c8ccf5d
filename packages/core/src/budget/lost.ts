import type { Amount } from '../amount.js'
import type { CallFacts, UsageRecord } from '../cost/store.js'
import { noUsage } from '../cost/usage.js'

/** A hold of a call that has expired. */
export interface LostCall {
  readonly id: string
  readonly owner: string
  /** Held when it ended. */
  readonly held: Amount
  /** What its expiry charged. */
  readonly charged: Amount
  /** Output tokens of the first grant: the rest of the hold counts as prompt. */
  readonly outputTokens: number
  readonly pools: readonly string[]
  readonly call: CallFacts
  /** When it expired. */
  readonly at: number
}

/** What each call's facts are: one that is missing here does not compile. */
const FACTS: { readonly [Name in keyof CallFacts]: 'string' | 'boolean' } = {
  requestId: 'string',
  provider: 'string',
  route: 'string',
  local: 'boolean',
  model: 'string',
  kind: 'string',
  stream: 'boolean',
  price: 'string',
}

/**
 * What a store has kept of a call. Of one that was damaged its hold is charged all the same, and costs lack it: nobody knows
 * whose they are.
 *
 * @param text what `JSON.stringify` made of it
 * @returns null where it cannot be read
 */
export function storedCall<Kept extends CallFacts = CallFacts>(text: string): Kept | null {
  try {
    const call = JSON.parse(text) as Record<string, unknown>
    return Object.entries(FACTS).every(([name, type]) => typeof call[name] === type) ? (call as unknown as Kept) : null
  } catch {
    return null
  }
}

/** The usage record of a call that nobody has settled: it costs what its expiry charged, so that costs and pools agree. */
export function lostUsage({ id, owner, held, charged, outputTokens, pools, call, at }: LostCall): UsageRecord {
  const output = Math.max(0, charged.tokens - (held.tokens - outputTokens))
  return {
    ...call,
    id: `${id}.lost`,
    at,
    user: owner,
    pool: pools[0]!,
    pools,
    usage: { ...noUsage, input: charged.tokens - output, output },
    source: 'unknown',
    nanoUsd: charged.nanoUsd,
    outcome: 'lost',
    latencyMs: 0,
  }
}

/** What takes such a record back when the call is settled after all: the settle brings its own. */
export function reversalOf(lost: UsageRecord): UsageRecord {
  return { ...lost, id: lost.id.replace(/\.lost$/, '.reversal'), reverses: true }
}

/** What the log says of a hold that nobody has ended: a call's, or one for a client's or the host's own work. */
export function lostEvent(phase: 'reserved' | 'sent'): { readonly event: string; readonly message: string } {
  return phase === 'sent'
    ? { event: 'inference.lost', message: 'A call ended without an outcome; its hold was charged.' }
    : { event: 'budget.expired', message: 'A reservation was not ended in its time; it was charged.' }
}
