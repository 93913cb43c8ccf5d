import { asBuffer } from '../bytes.js'
import { type CancelSignal, cancel, follow, type Signalling } from '../cancel.js'
import { asHooshError, ERRORS, type ErrorCode, HooshError } from '../errors.js'
import type { ByteSink, GatewayReply } from '../exchange.js'
import type { ChatCompletionChunk } from '../host.js'
import { eventScanner } from './event-scanner.js'
import { parseData } from './stream-event.js'

/**
 * A streamed reply as chunks, for code in this process. Nothing starts before the first is asked for; leaving the loop
 * early ends the call, and a slow loop slows the provider.
 *
 * @param sources whose signals end it too
 */
export async function* chunksOf(
  start: (signal: CancelSignal) => Promise<GatewayReply>,
  sources: readonly Signalling[],
): AsyncGenerator<ChatCompletionChunk> {
  const gone = cancel()
  const unfollow = follow(gone, sources)
  const queue = eventQueue()
  try {
    const { body } = await start(gone)
    if (typeof body !== 'function') throw new HooshError('internal_error')
    const writing = body(queue.sink).then(
      () => queue.close(),
      (thrown) => queue.close(asHooshError(thrown)),
    )
    for (;;) {
      const event = await queue.next()
      if (event === null) break
      const json = parseData(event.toString('latin1')) as (ChatCompletionChunk & { error?: LastError | null }) | null
      if (json === null) continue
      if (json.error != null) throw failureOf(json.error)
      yield json
    }
    await writing
    if (gone.aborted) throw left()
  } finally {
    unfollow()
    queue.abandon()
    gone.abort(left())
  }
}

function left(): HooshError {
  return new HooshError('client_closed')
}

/** The error that a stream ends with: ours, or what a provider said. */
interface LastError {
  message?: string
  code?: unknown
}

/** Our own codes stay; a provider's, which may be called like one for the caller's faults, are no more than its failure. */
function failureOf({ message = 'The stream failed.', code }: LastError): HooshError {
  const isOurs = typeof code === 'string' && Object.hasOwn(ERRORS, code) && ERRORS[code as ErrorCode][0] >= 500
  return new HooshError(isOurs ? (code as ErrorCode) : 'provider_error', { message })
}

/** Events between a writer and a reader; a write is finished when the reader has caught up. */
function eventQueue() {
  const scanner = eventScanner()
  const events: Buffer[] = []
  let isClosed = false
  let failure: HooshError | undefined
  let wakeReader: (() => void) | undefined
  let wakeWriter: (() => void) | undefined
  const sink: ByteSink = {
    write(chunk) {
      events.push(...scanner.push(typeof chunk === 'string' ? Buffer.from(chunk) : asBuffer(chunk)))
      wakeReader?.()
      if (events.length === 0 || isClosed) return
      return new Promise((resolve) => {
        wakeWriter = resolve
      })
    },
    get closed() {
      return isClosed
    },
  }
  return {
    sink,
    async next(): Promise<Buffer | null> {
      for (;;) {
        const event = events.shift()
        if (event !== undefined) return event
        wakeWriter?.()
        if (failure !== undefined) throw failure
        if (isClosed) return null
        await new Promise<void>((resolve) => {
          wakeReader = resolve
        })
      }
    },
    close(error?: HooshError) {
      isClosed = true
      failure = error
      wakeReader?.()
    },
    abandon() {
      isClosed = true
      wakeWriter?.()
    },
  }
}
