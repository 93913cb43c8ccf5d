import { costOf } from '../cost/price.js'
import { merged, type ReportedUsage } from '../cost/wire-usage.js'
import type { AnswerFilter } from '../dlp/answers.js'
import { asHooshError, HooshError } from '../errors.js'
import type { ByteSink } from '../exchange.js'
import { filteredEvent } from './answer-filter.js'
import type { Begun } from './begin.js'
import { reasonOf } from './call.js'
import type { Engine } from './engine.js'
import type { EventFeed } from './event-feed.js'
import { holdMoreOutput } from './hold.js'
import { type HostView, hostView } from './host-view.js'
import { type OutputTally, outputTally } from './output-tally.js'
import { asksForUsage } from './request-body.js'
import { readEvent, type StreamEvent } from './stream-event.js'
import { toldError } from './told-error.js'
import type { Try } from './try.js'
import { costFields } from './usage-text.js'

/** How a stream came to its end. */
export type RelayEnd =
  | { readonly how: 'whole' }
  /** The pools could not pay for more. */
  | { readonly how: 'cutoff' }
  /** Broken off, by the provider or by us; `error.code` is `client_closed` where the caller has gone. */
  | {
      readonly how: 'broken'
      readonly error: HooshError
      /** The provider's own error event, secrets removed. */
      readonly event?: string
    }

export interface Relayed {
  readonly end: RelayEnd
  readonly reported: ReportedUsage | null
  readonly tally: OutputTally
  /** The first event that was a delta, for the name and id of what we add. */
  readonly sample: string | null
  /** The limit that we gave the provider, rather than the caller's, has ended the answer. */
  readonly isLimited: boolean
  /** Null where the host asks for nothing of it. */
  readonly view: HostView | null
}

interface Relay {
  readonly engine: Engine
  readonly begun: Begun
  readonly tried: Try
  readonly feed: EventFeed
  readonly sink: ByteSink
  readonly tally: OutputTally
  readonly wantsUsage: boolean
  /** What its content has to pass; null where events go out as they come. */
  readonly filter: AnswerFilter | null
  readonly view: HostView | null
  /** Whether output beyond the hold is looked for. */
  readonly watches: boolean
  readonly waiting: Buffer[]
  out: Buffer[]
  isBusy: boolean
  upstreamEnd: HooshError | 'end' | null
  finished: boolean
  isLimited: boolean
  reported: ReportedUsage | null
  sample: string | null
  lastWriteAt: number
  end(end: RelayEnd): void
  ended: boolean
}

const SAYS_LENGTH = /"finish_reason"\s*:\s*"length"/

/** Silence after which a comment keeps proxies from closing the connection, ms. */
const PING_AFTER_MS = 15_000

/**
 * Step 7: whole events to the caller with back-pressure, counting what may pass the hold, ending inside the protocol
 * where the pools can pay for no more. Settling and the last words are the caller's of this function.
 */
export function relay(engine: Engine, begun: Begun, tried: Try, feed: EventFeed, sink: ByteSink): Promise<Relayed> {
  return new Promise((resolve) => {
    const { call, held } = begun
    const r: Relay = {
      engine,
      begun,
      tried,
      feed,
      sink,
      tally: outputTally(),
      wantsUsage: asksForUsage(call.params),
      filter: begun.inspected?.filter ?? null,
      view: hostView(engine, call),
      watches: tried.watchable && engine.settings.budget.enforcement === 'hard' && held.couldGive !== Infinity,
      waiting: [],
      out: [],
      isBusy: false,
      upstreamEnd: null,
      finished: false,
      isLimited: false,
      reported: null,
      sample: null,
      lastWriteAt: engine.clock(),
      ended: false,
      end(end) {
        if (r.ended) return
        r.ended = true
        held.cut.removeEventListener('abort', aborted)
        begun.running.ping = undefined
        held.counted = r.tally.atMost
        const { reported, tally, sample, isLimited, view } = r
        resolve({ end, reported, tally, sample, isLimited, view })
      },
    }
    const aborted = () => {
      feed.abort()
      r.end({ how: 'broken', error: reasonOf(held.cut) })
    }
    if (held.cut.aborted) return aborted()
    held.cut.addEventListener('abort', aborted)
    begun.running.ping = (now) => ping(r, now)
    feed.attach({
      events: (events) => take(r, events),
      end: () => upstreamEnded(r, 'end'),
      fail: (error) => upstreamEnded(r, error),
    })
  })
}

function ping(r: Relay, now: number): void {
  if (r.isBusy || r.ended || now - r.lastWriteAt < PING_AFTER_MS) return
  r.lastWriteAt = now
  void r.sink.write(': hoosh\n\n')
}

function upstreamEnded(r: Relay, how: HooshError | 'end'): void {
  r.upstreamEnd = how
  if (!r.isBusy) conclude(r)
}

/** What the end of the provider's stream means. */
function conclude(r: Relay): void {
  if (r.upstreamEnd === null || r.ended) return
  if (r.upstreamEnd !== 'end') r.end({ how: 'broken', error: r.upstreamEnd })
  else if (r.finished) r.end({ how: 'whole' })
  else {
    const message = "The provider's stream broke off in the middle of its answer."
    r.end({ how: 'broken', error: new HooshError('provider_error', { message }) })
  }
}

function take(r: Relay, events: Buffer[]): void {
  if (r.ended) return
  if (r.isBusy) {
    r.waiting.push(...events)
    return
  }
  try {
    const wait = run(r, events, 0)
    if (wait === undefined) return
    r.isBusy = true
    r.feed.pause()
    void drain(r, wait)
  } catch (error) {
    broken(r, error)
  }
}

/** An event that cannot be handled ends the answer. */
function broken(r: Relay, thrown: unknown): void {
  const { engine, begun, feed } = r
  feed.abort()
  const error = asHooshError(thrown)
  if (error !== thrown)
    engine.logger.error({ requestId: begun.call.requestId, code: error.code, err: thrown }, error.message)
  r.end({ how: 'broken', error })
}

/** Handles events until one has to wait for something; then what it waits for. */
function run(r: Relay, events: Buffer[], from: number): Promise<void> | undefined {
  for (let index = from; index < events.length; index += 1) {
    const wait = handle(r, events[index]!)
    if (r.ended) return undefined
    if (wait !== undefined) {
      r.waiting.unshift(...events.slice(index + 1))
      return wait
    }
  }
  return flush(r)
}

async function drain(r: Relay, first: Promise<void>): Promise<void> {
  try {
    await first
    // What has waited for room may be all there is: it goes out too.
    while (!r.ended && r.waiting.length + r.out.length > 0) await run(r, r.waiting.splice(0), 0)
  } catch (error) {
    broken(r, error)
  }
  r.isBusy = false
  if (r.upstreamEnd === null) r.feed.resume()
  else conclude(r)
}

function handle(r: Relay, event: Buffer): Promise<void> | undefined {
  const text = event.toString('latin1')
  const read = readEvent(text)
  if (read.kind === 'done') {
    r.finished = true
    // What follows is the end of the connection's answer: read, so that the connection can be used again.
    return end(r, { how: 'whole' })
  }
  if (read.kind === 'error') {
    return end(r, { how: 'broken', ...toldError(event, r.tried.candidate.route.provider.redact) })
  }
  if (read.finishes) {
    r.finished = true
    r.isLimited = r.tried.limitedByBudget && SAYS_LENGTH.test(text)
  }
  if (read.reported !== null) r.reported = r.reported === null ? read.reported : merged(r.reported, read.reported)
  if (read.atMostTokens > 0) {
    r.sample ??= text
    const weight = r.tally.weigh(read, text)
    if (r.watches && r.tally.atMost + weight > r.begun.held.granted) return makeRoom(r, event, read, text)
    deliverDelta(r, weight, read, text)
  }
  forward(r, event, read)
  return undefined
}

function deliverDelta(r: Relay, weight: number, read: StreamEvent, text: string): void {
  r.tally.add(weight, read, text)
  r.begun.held.counted = r.tally.atMost
}

function forward(r: Relay, event: Buffer, read: StreamEvent): void {
  r.view?.take(event, read.atMostTokens > 0)
  if (read.kind === 'usage' && read.onlyUsage && !r.wantsUsage) return
  if (read.kind !== 'usage' || read.usageAt < 0 || !r.wantsUsage) return void send(r, event)
  const { candidate, quote } = r.tried
  const fields = costFields(costOf(r.reported!.usage, quote) + r.begun.held.spent.nanoUsd, candidate.route.type, false)
  const pieces = [event.subarray(0, read.usageAt), Buffer.from(fields), event.subarray(read.usageAt)]
  if (r.filter === null) r.out.push(...pieces)
  else send(r, Buffer.concat(pieces))
}

function send(r: Relay, event: Buffer): void {
  r.out.push(r.filter === null ? event : filteredEvent(r.filter, event))
}

function end(r: Relay, how: RelayEnd): Promise<void> | undefined {
  const wait = flush(r)
  if (how.how !== 'whole') r.feed.abort()
  if (wait === undefined) {
    r.end(how)
    return undefined
  }
  return wait.then(() => r.end(how))
}

function flush(r: Relay): Promise<void> | undefined {
  const { out } = r
  if (out.length === 0) return undefined
  r.out = []
  r.lastWriteAt = r.engine.clock()
  const bytes = joined(out)
  return r.sink.write(bytes) ?? undefined
}

/** Events that stood side by side in one chunk go out as that chunk's bytes, without a copy. */
function joined(out: Buffer[]): Buffer {
  const first = out[0]!
  if (out.length === 1) return first
  let next = first.byteOffset + first.length
  for (let index = 1; index < out.length; index += 1) {
    const piece = out[index]!
    if (piece.buffer !== first.buffer || piece.byteOffset !== next) return Buffer.concat(out)
    next += piece.length
  }
  return Buffer.from(first.buffer, first.byteOffset, next - first.byteOffset)
}

/**
 * An event would pass the hold: ask for more, in doubling steps; where the pools are short count what was delivered so
 * far, since bytes are several times as many as tokens; and where even that leaves no room, end the answer.
 */
async function makeRoom(r: Relay, event: Buffer, read: StreamEvent, text: string): Promise<void> {
  const { held, call } = r.begun
  const wait = flush(r)
  if (wait !== undefined) await wait
  const scarce = r.engine.pools.wasScarce(call.pools)
  if ((r.tally.isCounting || !scarce) && (await extend(r, r.tally.weigh(read, text))))
    return deliverWaiting(r, event, read, text)
  if (!r.tally.isCounting) {
    const { candidate, limit } = r.tried
    const counter = await r.engine.outputCounter(candidate.model, candidate.route)
    await r.tally.startCounting(counter, limit)
    if (r.ended) return
    held.counted = r.tally.atMost
    const weight = r.tally.weigh(read, text)
    if (r.tally.atMost + weight <= held.granted || (await extend(r, weight)))
      return deliverWaiting(r, event, read, text)
  }
  r.feed.abort()
  r.end({ how: 'cutoff' })
}

async function extend(r: Relay, weight: number): Promise<boolean> {
  const { held } = r.begun
  const floor = r.tally.atMost + weight - held.granted
  const wish = Math.max(floor, held.granted)
  try {
    return await holdMoreOutput(r.engine, held, { floor, wish })
  } catch (error) {
    if (!(error instanceof HooshError) || error.code !== 'store_unavailable') throw error
    // A store that is away ends no stream before its lease does; what it did not hold, the settle will tell as overrun.
    held.granted += wish
    return true
  }
}

function deliverWaiting(r: Relay, event: Buffer, read: StreamEvent, text: string): void {
  if (r.ended) return
  deliverDelta(r, r.tally.weigh(read, text), read, text)
  forward(r, event, read)
}
