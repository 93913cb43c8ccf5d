import type { ServerResponse } from 'node:http'
import {
  EVENT_EVERY_MS,
  type Manner,
  plainAnswer,
  plainMessage,
  streamedAnswer,
  streamedMessage,
  TRICKLE_EVENTS,
} from '../payload.js'
import { serve } from './serve.js'

// The provider: bytes made beforehand, as little work as possible, since it shares the machine with what is measured.

const TRICKLE_EVERY_MS = 1_000
const LARGE_FROM_BYTES = 8 * 1024

interface Answers {
  readonly small: Buffer
  readonly large: Buffer
  readonly events: readonly Buffer[]
}

const openai: Answers = { small: plainAnswer(1024), large: plainAnswer(20 * 1024), events: streamedAnswer() }
const anthropic: Answers = { small: plainMessage(1024), large: plainMessage(20 * 1024), events: streamedMessage() }
const streams = Buffer.from('"stream":true')
const trickle = Buffer.from('trickle' satisfies Manner)

/** Steady streams, their events, and the index of the next. */
const running = new Map<ServerResponse, { events: readonly Buffer[]; next: number }>()
let ticker: NodeJS.Timeout | undefined

serve((req, res) => {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => {
    const { small, large, events } = req.url === '/v1/messages' ? anthropic : openai
    const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    if (!body.includes(streams)) return plain(res, body.length < LARGE_FROM_BYTES ? small : large)
    res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    if (body.includes(trickle)) return slow(res, events)
    steady(res, events)
  })
})

function plain(res: ServerResponse, answer: Buffer): void {
  res.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
  res.end(answer)
}

/**
 * One event to every stream at each turn of one clock: the server wakes once and finds one chunk in each socket, as a
 * busy proxy does. Clocks of their own would measure how Node sleeps.
 */
function steady(res: ServerResponse, events: readonly Buffer[]): void {
  running.set(res, { events, next: 0 })
  res.on('close', () => running.delete(res))
  ticker ??= setInterval(tick, EVENT_EVERY_MS)
}

function tick(): void {
  for (const [res, stream] of running) {
    res.write(stream.events[stream.next]!)
    stream.next += 1
    if (stream.next === stream.events.length) {
      running.delete(res)
      res.end()
    }
  }
  if (running.size > 0) return
  clearInterval(ticker)
  ticker = undefined
}

/** Never ends by itself: what an open stream costs is measured until the caller goes. */
function slow(res: ServerResponse, events: readonly Buffer[]): void {
  for (const event of events.slice(0, TRICKLE_EVENTS)) res.write(event)
  const timer = setInterval(() => res.write(events[1]!), TRICKLE_EVERY_MS)
  res.on('close', () => clearInterval(timer))
}
