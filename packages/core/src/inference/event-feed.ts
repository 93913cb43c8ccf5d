import { asBuffer } from '../bytes.js'
import type { CancelSignal } from '../cancel.js'
import { HooshError } from '../errors.js'
import { failureAfterSending, failureOfAbort } from '../providers/failures.js'
import type { UpstreamBody, UpstreamFailure } from '../providers/provider.js'
import { eventScanner } from './event-scanner.js'
import { parseData, readEvent } from './stream-event.js'

/** A provider's stream as whole SSE events. Holds them back until somebody is attached. */
export interface EventFeed {
  /** Called once; what came before is handed over at once. */
  attach(reader: EventReader): void
  pause(): void
  resume(): void
  abort(): void
}

export interface EventReader {
  events(events: Buffer[]): void
  end(): void
  fail(error: HooshError): void
}

/**
 * Waits for the first event of a stream: until then another candidate may still answer instead.
 *
 * An error event that comes first, and a stream that ends without any, are failures of the attempt.
 */
export function openFeed(body: UpstreamBody, signal: CancelSignal): Promise<EventFeed | UpstreamFailure> {
  return new Promise((resolve) => {
    const scanner = eventScanner()
    const early: Buffer[] = []
    let ending: HooshError | 'end' | null = null
    let reader: EventReader | null = null
    let opened = false

    const feed: EventFeed = {
      attach(attached) {
        reader = attached
        if (early.length > 0) attached.events(early)
        if (ending === 'end') attached.end()
        else if (ending !== null) attached.fail(ending)
        else body.resume()
      },
      pause: () => body.pause(),
      resume: () => body.resume(),
      abort: () => body.abort(),
    }
    const settleOn = (result: EventFeed | UpstreamFailure) => {
      if (opened) return
      opened = true
      signal.removeEventListener('abort', aborted)
      resolve(result)
    }
    const aborted = () => {
      body.abort()
      settleOn(failureOfAbort(true))
    }
    const finish = (how: HooshError | 'end') => {
      if (reader === null) {
        ending = how
        settleOn(early.some(isTelling) ? feed : failureAfterSending(how === 'end' ? emptyAnswer() : how))
      } else if (how === 'end') reader.end()
      else reader.fail(how)
    }
    const deliver = (events: Buffer[]) => {
      if (events.length === 0) return
      if (reader !== null) return reader.events(events)
      early.push(...events)
      if (!events.some(isTelling)) return
      const error = errorIn(early)
      if (error !== null) {
        body.abort()
        return settleOn(failureAfterSending(error))
      }
      body.pause()
      settleOn(feed)
    }
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted)
    body.start({
      data(chunk) {
        try {
          deliver(scanner.push(asBuffer(chunk)))
        } catch (error) {
          body.abort()
          finish(error as HooshError)
        }
      },
      end() {
        const rest = scanner.rest()
        if (rest !== null && isWhole(rest)) deliver([Buffer.concat([rest, Buffer.from('\n\n')])])
        finish('end')
      },
      fail: finish,
    })
  })
}

/** Whether an event says anything; comments and empty ones do not. */
function isTelling(event: Buffer): boolean {
  return readEvent(event.toString('latin1')).kind !== 'other' || event.indexOf('data:') >= 0
}

/** Whether a last event that lacks its blank line lacks nothing else: half of one would break the caller's parser. */
function isWhole(event: Buffer): boolean {
  const text = event.toString('latin1')
  return readEvent(text).kind === 'done' || parseData(text) !== null
}

/** Only what comes first: an error after a delta comes too late, and the caller gets both. What is no object is no event. */
function errorIn(events: readonly Buffer[]): HooshError | null {
  const first = events.find(isTelling)
  if (first === undefined) return null
  const text = first.toString('latin1')
  const { kind } = readEvent(text)
  if (kind === 'error')
    return new HooshError('provider_error', { message: 'The provider answered with an error instead of a stream.' })
  if (kind !== 'other' || isObject(parseData(text))) return null
  return new HooshError('provider_error', { message: 'The provider answered with something that is no stream.' })
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function emptyAnswer(): HooshError {
  return new HooshError('provider_error', { message: "The provider's stream ended before its first event." })
}
