import { completionTokens } from '../cost/usage.js'
import { errorBody } from '../error-body.js'
import type { ByteSink, GatewayReply } from '../exchange.js'
import { runsOn } from '../providers/catalog.js'
import type { Provider, UpstreamFailure, UpstreamRequest } from '../providers/provider.js'
import { within } from '../time.js'
import { heldBack } from './answer-filter.js'
import { attempt } from './attempt.js'
import { type Begun, begin, finish, finishFailed, prepare } from './begin.js'
import type { Call } from './call.js'
import { type Charge, chargeOf } from './charge.js'
import type { Engine } from './engine.js'
import { type EventFeed, openFeed } from './event-feed.js'
import { type Relayed, relay } from './relay.js'
import { callHeaders } from './reply-headers.js'
import { asksForUsage } from './request-body.js'
import type { Ending, Settled } from './settle.js'
import { parseData } from './stream-event.js'
import type { Discarded, Try } from './try.js'
import { countedUsage, microUsd } from './usage-text.js'

/** How long the last words of a stream wait for a store that does not answer, ms. */
const SETTLE_WAIT_MS = 250

/**
 * A call whose answer is streamed. The reply is given once the first event is there; until then other candidates may
 * still answer instead.
 *
 * @throws HooshError of whichever step refused or failed before the first event; the call is settled then
 */
export async function answerStreamed(engine: Engine, call: Call): Promise<GatewayReply> {
  const begun = await begin(engine, call)
  try {
    const { tried, received } = await attempt(engine, call, begun.held, {
      candidates: begun.admitted.candidates,
      asks: begun.admitted.asks,
      prepare: (candidate) => prepare(engine, begun, candidate),
      ask,
      discard,
    })
    const headers = callHeaders(begun, tried)
    headers['content-type'] = 'text/event-stream; charset=utf-8'
    headers['cache-control'] = 'no-cache, no-transform, no-store'
    headers['x-accel-buffering'] = 'no'
    const reply: GatewayReply = { status: 200, headers, body: (sink) => stream(engine, begun, tried, received, sink) }
    if (begun.inspected?.filter?.restores === true) reply.isPrivate = true
    return reply
  } catch (thrown) {
    throw await finishFailed(engine, begun, thrown)
  }
}

async function ask(provider: Provider, request: UpstreamRequest, tried: Try): Promise<EventFeed | UpstreamFailure> {
  const reply = await provider.stream(request)
  if (!reply.ok) return reply
  if (reply.dropped !== undefined) tried.dropped = reply.dropped
  return openFeed(reply.body, request.signal)
}

function discard(feed: EventFeed): Discarded {
  feed.abort()
  return { reported: null }
}

async function stream(engine: Engine, begun: Begun, tried: Try, feed: EventFeed, sink: ByteSink): Promise<void> {
  let relayed: Relayed
  engine.metrics.streamOpened()
  try {
    relayed = await relay(engine, begun, tried, feed, sink)
  } catch (thrown) {
    feed.abort()
    await finishFailed(engine, begun, thrown)
    return
  } finally {
    engine.metrics.streamClosed()
  }
  const filter = begun.inspected?.filter ?? null
  const held = filter === null ? '' : heldBack(filter, relayed.sample)
  const charge = await chargeFor(engine, begun, tried, relayed)
  const settling = finish(engine, begun, endingOf(relayed, tried, charge))
  const settled = await within(SETTLE_WAIT_MS, settling)
  await lastWords(begun, tried, { ...relayed, held }, charge, settled, sink)
}

async function chargeFor(
  engine: Engine,
  { held }: Begun,
  { candidate, limit }: Try,
  { end, reported, tally }: Relayed,
): Promise<Charge> {
  return chargeOf(held, {
    reported: reported !== null && completionTokens(reported.usage) === 0 && tally.atMost > 0 ? null : reported,
    whole: end.how === 'whole',
    async countOutput() {
      await tally.startCounting(await engine.outputCounter(candidate.model, candidate.route), limit)
      // Whoever goes on after we have hung up bills what he was allowed, unless he has told his bill already.
      const isLeft = end.how === 'broken' && reported === null && runsOn(candidate.route.type, true, end.error)
      return isLeft ? Math.max(tally.atMost, held.granted) : tally.atMost
    },
  })
}

function endingOf(relayed: Relayed, tried: Try, charge: Charge): Ending {
  const ending = howItEnded(relayed, tried, charge)
  const payload = relayed.view?.end(relayed.sample)
  return payload === undefined ? ending : { ...ending, payload }
}

function howItEnded({ end }: Relayed, { candidate }: Try, charge: Charge): Ending {
  if (end.how === 'whole') return { outcome: 'ok', candidate, charge }
  if (end.how === 'cutoff') return { outcome: 'cutoff', candidate, charge }
  return { outcome: end.error.code === 'client_closed' ? 'aborted' : 'error', candidate, charge, error: end.error }
}

/** The end inside the protocol: `[DONE]` only after a whole answer or a cut-off, else one error event. */
async function lastWords(
  begun: Begun,
  tried: Try,
  relayed: Relayed & { held: string },
  charge: Charge,
  settled: Settled | null,
  sink: ByteSink,
): Promise<void> {
  if (sink.closed) return
  const { end, held } = relayed
  if (end.how === 'broken') {
    if (end.error.code === 'client_closed') return
    if (held !== '') await sink.write(held)
    await sink.write(end.event ?? `data: ${JSON.stringify(errorBody(end.error))}\n\n`)
    return
  }
  const own = ownEvents(begun, tried, relayed, charge)
  const left = settled?.left
  const facts = {
    budget_remaining: left?.tokens,
    budget_remaining_usd: left?.nanoUsd === undefined ? undefined : left.nanoUsd / 1e9,
    cache: 'MISS',
    limited_by: end.how === 'cutoff' || relayed.isLimited ? 'budget' : undefined,
  }
  const comment = `: hoosh {"cost_micro_usd":${microUsd(charge.amount.nanoUsd)},${JSON.stringify(facts).slice(1)}\n\n`
  await sink.write(`${held}${own}${comment}data: [DONE]\n\n`)
}

/** What only we can say, in the words of the chunks before: that we ended the answer, and usage where the provider told none. */
function ownEvents({ call, inspected }: Begun, tried: Try, { sample, end, reported }: Relayed, charge: Charge): string {
  const isCut = end.how === 'cutoff'
  const tellsUsage = asksForUsage(call.params) && (isCut || reported === null)
  if (!isCut && !tellsUsage) return ''
  const said = (sample === null ? null : parseData(sample)) as {
    id?: unknown
    created?: unknown
    model?: unknown
  } | null
  const words = {
    id: said?.id ?? call.id,
    object: 'chat.completion.chunk',
    created: said?.created ?? Math.floor(call.startedAt / 1000),
    model: said?.model ?? tried.candidate.model,
  }
  const head = inspected?.filter?.around(words) ?? words
  const last = { ...head, choices: [{ index: 0, delta: {}, finish_reason: 'length' }] }
  const usage = countedUsage(call.kind, charge, tried.candidate.route.type)
  const cut = isCut ? `data: ${JSON.stringify(last)}\n\n` : ''
  return tellsUsage ? `${cut}data: ${JSON.stringify({ ...head, choices: [] }).slice(0, -1)},"usage":${usage}}\n\n` : cut
}
