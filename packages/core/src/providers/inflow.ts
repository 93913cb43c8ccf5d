import type { HooshError } from '../errors.js'
import type { BodyConsumer, UpstreamBody } from './provider.js'

/** The two ends of a body: what the source feeds, and what the consumer holds. */
export interface Inflow {
  readonly body: UpstreamBody
  push(chunk: Uint8Array): void
  end(): void
  fail(error: HooshError): void
  /** Nothing is delivered any more. */
  drop(): void
}

/** What the source does when its consumer is slow, ready, or gone. */
export interface Valve {
  pause(): void
  resume(): void
  /** Called once, where the consumer aborts. */
  abort(): void
  /** Called once, after `end` or `fail` was delivered. */
  over(): void
}

/** Bytes kept for a consumer that has not started yet before the source is paused. */
const KEPT_BYTES = 65_536

/** A body between a source that pushes and a consumer that may be late or slow. Keeps order; delivers nothing while paused. */
export function createInflow(valve: Valve): Inflow {
  const flow: Flow = {
    valve,
    consumer: null,
    queue: [],
    queuedBytes: 0,
    ending: null,
    isPaused: false,
    isShut: false,
    isOver: false,
    isFlushing: false,
  }
  return {
    body: {
      start(consumer) {
        flow.consumer = consumer
        flush(flow)
        open(flow)
      },
      pause() {
        flow.isPaused = true
        shut(flow)
      },
      resume() {
        if (!flow.isPaused) return
        flow.isPaused = false
        flush(flow)
        open(flow)
      },
      abort() {
        if (flow.isOver) return
        drop(flow)
        valve.abort()
      },
    },
    push(chunk) {
      if (flow.isOver) return
      if (flow.consumer !== null && !flow.isPaused && flow.queue.length === 0) return flow.consumer.data(chunk)
      flow.queue.push(chunk)
      flow.queuedBytes += chunk.length
      if (flow.queuedBytes > KEPT_BYTES) shut(flow)
    },
    end() {
      flow.ending ??= 'end'
      flush(flow)
    },
    fail(error) {
      flow.ending ??= error
      flush(flow)
    },
    drop: () => drop(flow),
  }
}

interface Flow {
  readonly valve: Valve
  consumer: BodyConsumer | null
  queue: Uint8Array[]
  queuedBytes: number
  ending: 'end' | HooshError | null
  isPaused: boolean
  isShut: boolean
  isOver: boolean
  isFlushing: boolean
}

function flush(flow: Flow): void {
  const { consumer, queue } = flow
  // A consumer that pauses and resumes within `data` comes by here again: the loop below goes on for it.
  if (consumer === null || flow.isFlushing) return
  flow.isFlushing = true
  let next = 0
  while (next < queue.length && !flow.isPaused && !flow.isOver) {
    const chunk = queue[next]!
    next += 1
    flow.queuedBytes -= chunk.length
    consumer.data(chunk)
  }
  queue.splice(0, next)
  flow.isFlushing = false
  if (flow.isPaused || flow.isOver || flow.ending === null) return
  flow.isOver = true
  flow.valve.over()
  if (flow.ending === 'end') consumer.end()
  else consumer.fail(flow.ending)
}

function shut(flow: Flow): void {
  if (flow.isShut || flow.isOver || flow.ending !== null) return
  flow.isShut = true
  flow.valve.pause()
}

function open(flow: Flow): void {
  if (!flow.isShut || flow.isOver || flow.isPaused) return
  flow.isShut = false
  flow.valve.resume()
}

function drop(flow: Flow): void {
  flow.isOver = true
  flow.queue.length = 0
  flow.queuedBytes = 0
}
