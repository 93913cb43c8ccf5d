import type { Dispatcher } from 'undici/index.js'
import type { CancelSignal } from '../cancel.js'
import { HooshError } from '../errors.js'
import type { Clock } from '../time.js'
import { type Connection, type Line, openLine } from './connection.js'
import { deadlineOf } from './deadline.js'
import {
  type FailureContext,
  failureAfterSending,
  failureOfAbort,
  failureOfConnection,
  failureOfStatus,
} from './failures.js'
import { createInflow, type Inflow } from './inflow.js'
import type { Key, Keys } from './keys.js'
import type { UpstreamFailure, UpstreamReply } from './provider.js'
import { restAfter } from './rate-headers.js'
import { retryAfterMs } from './retry-after.js'

/** HTTP/1.1 to one origin, as cheap as it gets: no streams, no header copies, no promise per chunk. */
export interface Transport {
  send(request: HttpRequest): Promise<UpstreamReply | UpstreamFailure>
  close(): Promise<void>
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Name, value, name, value. */
  readonly headers: string[]
  readonly body: Uint8Array | string | null
  readonly stream: boolean
  /** Content type of a stream beside JSON, `text/event-stream` by default. */
  readonly streamType?: string
  readonly signal: CancelSignal
  readonly firstByteMs: number
  readonly idleMs: number
}

export interface TransportOptions extends FailureContext {
  readonly connection: Connection
  readonly clock: Clock
  readonly keys: Keys
}

/** Of a list of models, which is short work. */
export const LIST_DEADLINES = { firstByteMs: 10_000, idleMs: 10_000 } as const

/** Of an answer that is a failure, this much is read, bytes. */
const MAX_REFUSAL_BYTES = 65_536
/** Largest plain answer, bytes; a stream has no such bound, its memory is bounded by back-pressure. */
const MAX_PLAIN_BYTES = 64 * 1_024 * 1_024

/** Opens no connection and starts no timer before the first `send`. */
export function createTransport(options: TransportOptions): Transport {
  const line = openLine(options.connection)
  return {
    send(request) {
      const key = options.keys.next()
      return key instanceof Promise
        ? key.then((found) => sendWith(found, line, request, options))
        : sendWith(key, line, request, options)
    },
    close: () => line.destroy(),
  }
}

function sendWith(
  key: Key | UpstreamFailure,
  line: Line,
  request: HttpRequest,
  options: TransportOptions,
): Promise<UpstreamReply | UpstreamFailure> {
  if ('ok' in key) return Promise.resolve(key)
  return new Promise((resolve) => dispatch(line, { request, key, options, resolve }))
}

/** One request on its way. */
interface Exchange {
  readonly request: HttpRequest
  readonly key: Key
  readonly options: TransportOptions
  readonly deadline: ReturnType<typeof deadlineOf>
  readonly onAbort: () => void
  /** Null until the request is written: up to there nothing can have been billed. */
  controller: Dispatcher.DispatchController | null
  /** Once the head of a good answer has come. */
  inflow: Inflow | null
  /** Of a failure: its status, once its head has come, and what is read of its body. */
  refused: { status: number; retryAfterMs: number | undefined; chunks: Uint8Array[] } | null
  bodyBytes: number
  isOver: boolean
  resolve(result: UpstreamReply | UpstreamFailure): void
}

const GIVEN_UP = new HooshError('client_closed')

function dispatch(
  line: Line,
  { request, key, options, resolve }: Pick<Exchange, 'request' | 'key' | 'options' | 'resolve'>,
): void {
  if (request.signal.aborted) {
    resolve(failureOfAbort(false))
    return
  }
  const exchange: Exchange = {
    request,
    key,
    options,
    deadline: deadlineOf(request, () => expired(exchange)),
    onAbort: () => aborted(exchange),
    controller: null,
    inflow: null,
    refused: null,
    bodyBytes: 0,
    isOver: false,
    resolve,
  }
  request.signal.addEventListener('abort', exchange.onAbort)
  const { method, path, body } = request
  const headers = key.headers.length === 0 ? request.headers : [...request.headers, ...key.headers]
  line.dispatch({ method, path, headers, body }, handlerOf(exchange))
}

function handlerOf(exchange: Exchange): Dispatcher.DispatchHandler {
  return {
    onRequestStart(controller) {
      if (exchange.isOver) return controller.abort(GIVEN_UP)
      exchange.controller = controller
      exchange.deadline.start()
    },
    onResponseStart(_controller, status, headers) {
      if (status < 200 || exchange.isOver) return // 1xx: the answer is still to come
      headCame(exchange, status, headers)
    },
    onResponseData(_controller, chunk) {
      bodyCame(exchange, chunk)
    },
    onResponseEnd() {
      if (exchange.isOver) return
      exchange.deadline.stop()
      if (exchange.refused !== null) refuse(exchange)
      else exchange.inflow?.end()
    },
    onResponseError(_controller, error) {
      broke(exchange, error)
    },
  }
}

function headCame(exchange: Exchange, status: number, headers: Record<string, string | string[] | undefined>): void {
  const header = (name: string) => {
    const value = headers[name]
    return Array.isArray(value) ? value[0] : value
  }
  if (status < 200 || status > 299) {
    exchange.refused = { status, retryAfterMs: retryAfterMs(header, exchange.options.clock()), chunks: [] }
    return
  }
  const { request, options } = exchange
  options.keys.answered(exchange.key, status, restAfter(header, options.clock()))
  const streamType = request.stream ? (request.streamType ?? 'text/event-stream') : null
  const contentType = header('content-type') ?? streamType ?? 'application/json'
  const fault = faultOfHead(contentType, header('content-encoding'), streamType)
  if (fault !== null) {
    const error = new HooshError('provider_error', {
      message: `The provider "${options.routeName}" answered with ${fault}.`,
    })
    giveUp(exchange, failureAfterSending(error))
    return
  }
  const inflow = createInflow({
    pause() {
      exchange.deadline.pause()
      exchange.controller?.pause()
    },
    resume() {
      exchange.deadline.resume()
      // Not at once: undici's parser is shared and must not be entered from another answer's callback.
      queueMicrotask(() => exchange.controller?.resume())
    },
    abort: () => close(exchange),
    over: () => finish(exchange),
  })
  exchange.inflow = inflow
  exchange.resolve({ ok: true, status, contentType, body: inflow.body })
}

/** What makes a 2xx no answer: a login page, a proxy's error page, compression that was not asked for. */
function faultOfHead(contentType: string, encoding: string | undefined, streamType: string | null): string | null {
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return 'a compressed body, which was not asked for'
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
  if (type === 'application/json' || type === streamType) return null
  return `"${type.slice(0, 100)}" instead of ${streamType === null ? 'JSON' : 'a stream of events'}`
}

function bodyCame(exchange: Exchange, chunk: Uint8Array): void {
  if (exchange.isOver) return
  exchange.deadline.progress()
  exchange.bodyBytes += chunk.length
  const { refused, inflow, request, options } = exchange
  if (refused !== null) {
    refused.chunks.push(chunk)
    if (exchange.bodyBytes > MAX_REFUSAL_BYTES) refuse(exchange)
  } else if (!request.stream && exchange.bodyBytes > MAX_PLAIN_BYTES) {
    const message = `The answer of the provider "${options.routeName}" is longer than ${MAX_PLAIN_BYTES} bytes.`
    close(exchange)
    inflow!.fail(new HooshError('provider_error', { message }))
  } else inflow!.push(chunk)
}

/** Ends an exchange whose answer is a failure, with as much as has come of its body. */
function refuse(exchange: Exchange): void {
  const { options, key } = exchange
  const { status, retryAfterMs: wait, chunks } = exchange.refused!
  const body = Buffer.concat(chunks).toString('utf8')
  const anotherKey = options.keys.answered(key, status, status === 429 ? wait : undefined)
  giveUp(exchange, { ...failureOfStatus({ status, body, retryAfterMs: wait }, options), anotherKey })
}

function giveUp(exchange: Exchange, failure: UpstreamFailure): void {
  close(exchange)
  exchange.resolve(failure)
}

function expired(exchange: Exchange): void {
  broke(exchange, new HooshError(exchange.bodyBytes === 0 ? 'first_byte_timeout' : 'idle_timeout'))
}

function broke(exchange: Exchange, cause: Error): void {
  if (exchange.isOver) return
  const { controller, inflow, options } = exchange
  if (exchange.refused !== null) {
    refuse(exchange)
  } else if (inflow !== null) {
    close(exchange)
    inflow.fail(cause instanceof HooshError ? cause : cutShort(cause, options.routeName))
  } else if (cause instanceof HooshError) {
    giveUp(exchange, failureAfterSending(cause))
  } else {
    giveUp(exchange, failureOfConnection(cause, controller !== null, options))
  }
}

function cutShort(cause: Error, routeName: string): HooshError {
  return new HooshError('provider_error', {
    message: `The provider "${routeName}" broke off in the middle of its answer.`,
    cause,
  })
}

function aborted(exchange: Exchange): void {
  if (exchange.isOver) return
  const sent = exchange.controller !== null
  close(exchange)
  exchange.inflow?.drop()
  exchange.resolve(failureOfAbort(sent))
}

/** Ends the exchange and its connection, if it is still in use. */
function close(exchange: Exchange): void {
  finish(exchange)
  exchange.controller?.abort(GIVEN_UP)
}

function finish(exchange: Exchange): void {
  if (exchange.isOver) return
  exchange.isOver = true
  exchange.deadline.stop()
  exchange.request.signal.removeEventListener('abort', exchange.onAbort)
}
