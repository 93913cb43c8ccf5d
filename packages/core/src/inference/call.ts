import type { Amount } from '../amount.js'
import type { Cancel, CancelSignal } from '../cancel.js'
import type { PromptBound } from '../context/estimate.js'
import type { TokenFacts } from '../context/token-facts.js'
import type { Quote } from '../cost/prices.js'
import { HooshError } from '../errors.js'
import type { Caller } from '../identity/caller.js'
import type { CallInfo } from '../options.js'
import type { Places } from '../routing/places.js'
import type { Candidate } from '../routing/route.js'
import type { Counted } from './limits.js'

/** One paid call on its way through the steps. */
export interface Call {
  /** Also the reservation's id. */
  readonly id: string
  readonly requestId: string
  readonly kind: 'chat' | 'embeddings'
  readonly stream: boolean
  readonly params: Readonly<Record<string, unknown>>
  /** The body as it came, so that a request which changes nothing goes up as those bytes. */
  readonly bytes: Uint8Array | null
  readonly model: string
  readonly caller: Caller
  /** Every pool that pays. */
  readonly pools: readonly string[]
  /** The only route wanted. */
  readonly provider: string | undefined
  /** Models to try after everything else. */
  readonly fallbacks: readonly string[] | undefined
  /** Which calls it waits behind where a route is full: 0 is served first. */
  readonly tier: number
  /** Aborted when whoever waits for the answer has gone. */
  readonly signal: CancelSignal
  /** On the gateway's clock. */
  readonly startedAt: number
  /** Told, where somebody asks for it, of a failure that has cost something. */
  readonly noteCharged?: () => void
}

/** What is held for a call, and what it has cost so far. The one mutable thing of a call. */
export interface CallHold {
  readonly id: string
  /** Output tokens granted so far, of all choices together. */
  granted: number
  held: Amount
  /** Upper bound of the prompt's tokens that the hold contains. */
  promptTokens: number
  /** The candidate that is being tried, its price, and the prompt as its tokenizer counts it. */
  candidate: Candidate
  quote: Quote
  facts: TokenFacts
  bound: PromptBound
  /** Output tokens delivered so far, by our own count. */
  counted: number
  /** What failed attempts may have been billed. */
  spent: Amount
  attempts: number
  /** A provider has refused a limit that was ours. */
  isLimitRefused: boolean
  /** Windows of its routes' tokens that it was counted in. */
  windows: Counted[] | undefined
  /** Where it has taken up a place of a route's concurrency. */
  places: Places | undefined
  /** Where it stood in the queue of a route; 0 if it did not wait. */
  position: number
  /** The pool that could pay for no more. */
  emptied: string | undefined
  /** Most that all choices together may still get: granted plus what the pools had left. Infinite where none caps. */
  couldGive: number
  /** Ends the call with a reason: the client has gone, the lease was lost, the gateway stops. */
  readonly cut: Cancel
}

/** Why a call was cut off. */
export function reasonOf(cut: CancelSignal): HooshError {
  return cut.reason instanceof HooshError ? cut.reason : new HooshError('client_closed')
}

export function infoOf(call: Call): CallInfo {
  const { requestId, kind, model, stream, params } = call
  return { requestId, identity: call.caller.identity, kind, model, stream, params }
}
