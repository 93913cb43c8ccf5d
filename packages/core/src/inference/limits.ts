import type { Place, RateAnswer, RateAsk, RateStore, RateWindow, Staying } from '../budget/rates.js'
import { promptBound } from '../context/estimate.js'
import { tokenFacts } from '../context/token-facts.js'
import { HooshError } from '../errors.js'
import type { Limits, Logger } from '../options.js'
import type { Candidate } from '../routing/route.js'
import type { Awaitable, Clock } from '../time.js'
import type { Call } from './call.js'
import { askedLimit } from './output-range.js'
import { rateHeaders } from './rate-headers.js'

const MINUTE_MS = 60_000
/** Bytes of text per token, as it is written in most languages. */
const USUAL_BYTES = 4
/** A client that comes back sooner finds the same calls running, ms. */
const COME_BACK_MS = 1_000

/** Limits, and whom or what they count for: `user ann`. */
export interface Limited {
  readonly key: string
  readonly limits: Limits
}

/** What was counted in a window of a minute before it was known what it comes to. */
export interface Counted {
  readonly key: string
  readonly taken: number
  /** The moment it counts at. */
  readonly at: number
}

/** What a call has taken, to be mended and given back at its end. */
export interface Entered {
  /** Of tokens alone: a request counts, whatever becomes of it. */
  readonly windows: readonly Counted[]
  readonly staying: Staying | null
  readonly headers: Readonly<Record<string, string>>
}

/** Limits beside tokens and money: exact in the rate store, for as many processes as share it. */
export interface CallLimits {
  /**
   * Counts a call in all windows and takes its places, or refuses it.
   *
   * @throws HooshError `rate_limit_exceeded`, `concurrency_exceeded`, `store_unavailable`
   */
  enter(call: Call, limited: readonly Limited[], candidates: readonly Candidate[]): Promise<Entered>
  /** Counts what a call has used in place of what it might, and gives its places back. Never throws. */
  leave(entered: Entered, usedTokens: number): Awaitable<void>
  /** Counts something in windows. Throws as `enter`. */
  take(asks: readonly RateAsk[]): Promise<Taken>
  /** The same for windows alone. Never throws. */
  mend(windows: readonly Counted[], usedTokens: number): Promise<void>
  /** Says that the calls of this process still run. */
  renew(): Promise<void>
}

/** When it counts, and how the windows stand now. */
type Taken = Pick<Extract<RateAnswer, { ok: true }>, 'at' | 'windows'>

interface Parts {
  readonly rates: RateStore
  readonly clock: Clock
  /** How long a place outlives its process, ms. */
  readonly leaseMs: number
  readonly logger: Logger
  refused(key: string): void
}

export function callLimits(parts: Parts): CallLimits {
  const { rates, clock, leaseMs } = parts
  const staying = new Set<Staying>()
  return {
    enter: (call, limited, candidates) => enter(parts, staying, call, limited, candidates),
    async leave({ windows, staying: stay }, usedTokens) {
      if (stay !== null) staying.delete(stay)
      await mend(parts, windows, usedTokens)
      if (stay !== null) await quietly(parts, () => rates.leave(stay))
    },
    take: (asks) => take(parts, asks, () => ({})),
    mend: (windows, usedTokens) => mend(parts, windows, usedTokens),
    async renew() {
      if (staying.size > 0) await rates.stay([...staying], leaseMs, clock())
    },
  }
}

async function enter(
  parts: Parts,
  staying: Set<Staying>,
  call: Call,
  limited: readonly Limited[],
  candidates: readonly Candidate[],
): Promise<Entered> {
  const { asks, places } = wanted(call, limited, candidates)
  const { at, windows } = asks.length === 0 ? NOTHING : await take(parts, asks, rateHeaders)
  const counted = (some: readonly RateAsk[]) => some.map(({ key, cost }) => ({ key, taken: cost, at }))
  const entered = { windows: counted(asks.filter(isOfTokens)), staying: null, headers: rateHeaders(asks, windows) }
  if (places.length === 0) return entered
  const stay = { id: call.id, keys: places.map(({ key }) => key) }
  let full: string | null
  try {
    full = await parts.rates.enter(stay.id, places, parts.leaseMs, parts.clock())
  } catch (error) {
    await mend(parts, counted(asks), 0)
    throw error
  }
  if (full !== null) {
    const place = places.find(({ limit }) => limit === 0) ?? places.find(({ key }) => key === full)!
    parts.refused(place.key)
    await mend(parts, counted(asks), 0)
    throw busy(
      place,
      rateHeaders(
        asks,
        windows.map((window, index) => without(asks[index]!, window)),
      ),
    )
  }
  staying.add(stay)
  return { ...entered, staying: stay }
}

const NOTHING: Taken = { at: 0, windows: [] }

function wanted(
  call: Call,
  limited: readonly Limited[],
  candidates: readonly Candidate[],
): { asks: RateAsk[]; places: Place[] } {
  const asks: RateAsk[] = []
  const places: Place[] = []
  let estimate: number | undefined
  for (const { key, limits } of limited) {
    const { requestsPerMinute, tokensPerMinute, concurrent } = limits
    if (requestsPerMinute !== undefined) {
      asks.push({ key: `${key} requests`, limit: requestsPerMinute, windowMs: MINUTE_MS, cost: 1 })
    }
    if (tokensPerMinute !== undefined) {
      estimate ??= estimateOf(call, candidates[0])
      asks.push(tokenAsk(`${key} tokens`, tokensPerMinute, estimate))
    }
    if (concurrent !== undefined) places.push({ key, limit: concurrent })
  }
  return { asks, places }
}

function isOfTokens({ mayPass }: RateAsk): boolean {
  return mayPass === true
}

/** A call that is larger than the limit passes while anything is left: else it would never begin. */
export function tokenAsk(key: string, limit: number, cost: number): RateAsk {
  return { key, limit, windowMs: MINUTE_MS, cost, mayPass: true }
}

/** What a call may come to, until it is known: a quarter of the prompt's bytes, and the output it asks for. */
export function estimateOf({ kind, params }: Call, first: Candidate | undefined): number {
  const bytes = first === undefined ? 0 : promptBound(params, tokenFacts(first.route, first.model)).plenty
  const prompt = Math.max(1, Math.ceil(bytes / USUAL_BYTES))
  if (kind !== 'chat') return prompt
  return prompt + Math.min(askedLimit(params) ?? Infinity, MOST_GUESSED)
}

/** Few answers are longer, whatever their calls allow. */
const MOST_GUESSED = 1_024

/** @param tell what a refusal says of the windows */
async function take(parts: Parts, asks: readonly RateAsk[], tell: typeof rateHeaders): Promise<Taken> {
  const taking = parts.rates.take(asks, parts.clock())
  const answer = taking instanceof Promise ? await taking : taking
  if (answer.ok) return answer
  const headers = tell(asks, answer.windows)
  // Whatever else has no room: this never has.
  const closed = asks.find(({ limit }) => limit === 0)
  parts.refused(closed?.key ?? answer.key)
  if (closed !== undefined) {
    throw new HooshError('rate_limit_exceeded', {
      message: `${limitOf(closed)}.`,
      details: { retryable: false, headers },
    })
  }
  const wait = `try again in ${Math.ceil(answer.retryAfterMs / 1_000)} s`
  throw new HooshError('rate_limit_exceeded', {
    message: `${limitOf(asks.find(({ key }) => key === answer.key)!)}; ${wait}.`,
    details: { retryAfterMs: answer.retryAfterMs, headers },
  })
}

/** All windows here are of a minute. */
function limitOf({ key, limit, mayPass }: RateAsk): string {
  const unit = mayPass === true ? 'token' : 'request'
  const owner = key.replace(new RegExp(` ${unit}s$`), '')
  return `The limit of ${owner} is ${limit} ${unit}${limit === 1 ? '' : 's'} per minute`
}

/** How a window stands without what a call took of it. One that the call emptied may have had less: something was left. */
function without({ cost, mayPass }: RateAsk, { remaining, resetMs }: RateWindow): RateWindow {
  return { remaining: mayPass === true && remaining === 0 ? 1 : remaining + cost, resetMs }
}

function busy({ key, limit }: Place, headers: Readonly<Record<string, string>>): HooshError {
  if (limit === 0) {
    const message = `${key} may have no call running.`
    return new HooshError('concurrency_exceeded', { message, details: { retryable: false, headers } })
  }
  return new HooshError('concurrency_exceeded', {
    message: `${key} has ${limit} call${limit === 1 ? '' : 's'} running, as many as it may.`,
    details: { retryAfterMs: COME_BACK_MS, headers },
  })
}

/** What was counted too much goes back to where it was counted; what was too little counts from now on. */
async function mend(parts: Parts, windows: readonly Counted[], usedTokens: number): Promise<void> {
  const { rates, clock } = parts
  for (const { key, taken, at } of windows) {
    if (usedTokens > taken) await quietly(parts, () => rates.add(key, usedTokens - taken, MINUTE_MS, clock()))
    else if (usedTokens < taken) await quietly(parts, () => rates.giveBack(key, taken - usedTokens, MINUTE_MS, at))
  }
}

/** A call that is over does not fail because its window could not be mended: a minute later nothing is left of it. */
async function quietly({ logger }: Parts, step: () => Awaitable<void>): Promise<void> {
  try {
    await step()
  } catch (err) {
    logger.warn({ err }, 'the limits of a call that is over could not be mended')
  }
}
