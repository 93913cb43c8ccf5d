import type { Dispatcher } from 'undici/index.js'
import { asBuffer } from '../bytes.js'
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
import type { UpstreamAnswer, UpstreamFailure, UpstreamReply } from './provider.js'
import { restAfter } from './rate-headers.js'
import { retryAfterMs } from './retry-after.js'

/** HTTP/1.1 to one origin, as cheap as it gets: no streams, no header copies, no promise per chunk. */
export interface Transport {
  /** Resolves when all of the answer is there, which has to be JSON. */
  send(request: HttpRequest): Promise<UpstreamAnswer | UpstreamFailure>
  /** Resolves when the head of the answer is there, which has to be a stream; JSON will do too. */
  stream(request: HttpRequest & { streamType: string }): Promise<UpstreamReply | UpstreamFailure>
  close(): Promise<void>
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** Name, value, name, value. */
  readonly headers: string[]
  readonly body: Uint8Array | string | null
  /** Content type of a stream; absent for a plain answer. */
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
/** Of a plain answer that breaks off, so much is looked at, bytes. */
const MAX_RECEIVED_BYTES = 1_024 * 1_024

/** Opens no connection and starts no timer before the first `send`. */
export function createTransport(options: TransportOptions): Transport {
  const line = openLine(options.connection)
  return {
    send: (request) => withKey(line, request, options) as Promise<UpstreamAnswer | UpstreamFailure>,
    stream: (request) => withKey(line, request, options) as Promise<UpstreamReply | UpstreamFailure>,
    close: () => line.destroy(),
  }
}

type Result = UpstreamAnswer | UpstreamReply | UpstreamFailure

function withKey(line: Line, request: HttpRequest, options: TransportOptions): Promise<Result> {
  const key = options.keys.next()
  return key instanceof Promise ? onceThere(key, line, request, options) : sendWith(key, line, request, options)
}

/** With a key that has to be fetched, which a caller who leaves does not wait for. */
function onceThere(
  key: Promise<Key | UpstreamFailure>,
  line: Line,
  request: HttpRequest,
  options: TransportOptions,
): Promise<Result> {
  const { signal } = request
  return new Promise((resolve, reject) => {
    const left = () => resolve(failureOfAbort(false))
    if (signal.aborted) return left()
    signal.addEventListener('abort', left)
    key
      .finally(() => signal.removeEventListener('abort', left))
      .then((found) => sendWith(found, line, request, options))
      .then(resolve, reject)
  })
}

function sendWith(
  key: Key | UpstreamFailure,
  line: Line,
  request: HttpRequest,
  options: TransportOptions,
): Promise<Result> {
  if ('ok' in key) return Promise.resolve(key)
  return new Promise((resolve) => dispatch(line, { request, key, options, resolve }))
}

type Told = 'onRequestStart' | 'onResponseStart' | 'onResponseData' | 'onResponseEnd' | 'onResponseError'

/** One request on its way: what undici tells of. */
interface Exchange extends Required<Pick<Dispatcher.DispatchHandler, Told>> {
  request: HttpRequest
  key: Key
  options: TransportOptions
  deadline: ReturnType<typeof deadlineOf>
  onAbort: () => void
  /** Null until the request is written: up to there nothing can have been billed. */
  controller: Dispatcher.DispatchController | null
  /** Once the head of a stream has come. */
  inflow: Inflow | null
  /** Once the head of a plain answer has come: what has come of it. */
  chunks: Uint8Array[] | null
  /** Of a failure: its status, once its head has come, and what is read of its body. */
  refused: { status: number; retryAfterMs: number | undefined; chunks: Uint8Array[] } | null
  bodyBytes: number
  isOver: boolean
  resolve(result: Result): void
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
    onRequestStart: HANDLER.onRequestStart,
    onResponseStart: HANDLER.onResponseStart,
    onResponseData: HANDLER.onResponseData,
    onResponseEnd: HANDLER.onResponseEnd,
    onResponseError: HANDLER.onResponseError,
    request,
    key,
    options,
    deadline: deadlineOf(request, () => expired(exchange)),
    onAbort: () => aborted(exchange),
    controller: null,
    inflow: null,
    chunks: null,
    refused: null,
    bodyBytes: 0,
    isOver: false,
    resolve,
  }
  request.signal.addEventListener('abort', exchange.onAbort)
  const { method, path, body } = request
  const headers = key.headers.length === 0 ? request.headers : [...request.headers, ...key.headers]
  line.dispatch({ method, path, headers, body }, exchange)
}

/**
 * What all exchanges share: five functions made for each would cost more than what they do. Not as a prototype: objects of
 * `Object.create` take V8's collector 4 us each.
 */
const HANDLER: Required<Pick<Dispatcher.DispatchHandler, Told>> & ThisType<Exchange> = {
  onRequestStart(controller) {
    if (this.isOver) return controller.abort(GIVEN_UP)
    this.controller = controller
    this.deadline.start()
  },
  onResponseStart(_controller, status, headers) {
    if (status < 200 || this.isOver) return // 1xx: the answer is still to come
    headCame(this, status, headers)
  },
  onResponseData(_controller, chunk) {
    bodyCame(this, chunk)
  },
  onResponseEnd() {
    if (!this.isOver) ended(this)
  },
  onResponseError(_controller, error) {
    broke(this, error)
  },
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
  const { streamType } = request
  const contentType = header('content-type') ?? streamType ?? 'application/json'
  const fault = faultOfHead(contentType, header('content-encoding'), streamType)
  if (fault !== null) {
    const error = new HooshError('provider_error', {
      message: `The provider "${options.routeName}" answered with ${fault}.`,
    })
    giveUp(exchange, failureAfterSending(error))
    return
  }
  if (streamType === undefined) {
    exchange.chunks = []
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
  exchange.resolve({ ok: true, body: inflow.body })
}

/** What makes a 2xx no answer: a login page, a proxy's error page, compression that was not asked for. */
function faultOfHead(contentType: string, encoding: string | undefined, streamType: string | undefined): string | null {
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return 'a compressed body, which was not asked for'
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
  if (type === 'application/json' || type === streamType) return null
  return `"${type.slice(0, 100)}" instead of ${streamType === undefined ? 'JSON' : 'a stream of events'}`
}

function bodyCame(exchange: Exchange, chunk: Uint8Array): void {
  if (exchange.isOver) return
  exchange.deadline.progress()
  exchange.bodyBytes += chunk.length
  const { refused, chunks, inflow, options } = exchange
  if (refused !== null) {
    refused.chunks.push(chunk)
    if (exchange.bodyBytes > MAX_REFUSAL_BYTES) refuse(exchange)
  } else if (chunks !== null) {
    chunks.push(chunk)
    if (exchange.bodyBytes <= MAX_PLAIN_BYTES) return
    const message = `The answer of the provider "${options.routeName}" is longer than ${MAX_PLAIN_BYTES} bytes.`
    giveUp(exchange, failureAfterSending(new HooshError('provider_error', { message }), received(exchange)))
  } else inflow!.push(chunk)
}

function ended(exchange: Exchange): void {
  const { refused, chunks, inflow, bodyBytes } = exchange
  if (refused !== null) refuse(exchange)
  else if (chunks === null) {
    exchange.deadline.stop()
    inflow?.end()
  } else {
    finish(exchange)
    const bytes = chunks.length === 1 ? asBuffer(chunks[0]!) : Buffer.concat(chunks, bodyBytes)
    exchange.resolve({ ok: true, bytes })
  }
}

/** What has come of a plain answer that does not come to its end. */
function received({ chunks, bodyBytes }: Exchange): Buffer | undefined {
  return chunks === null ? undefined : Buffer.concat(chunks, Math.min(bodyBytes, MAX_RECEIVED_BYTES))
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
  const { controller, inflow, chunks, options } = exchange
  if (exchange.refused !== null) {
    refuse(exchange)
  } else if (inflow !== null || chunks !== null) {
    const error = cause instanceof HooshError ? cause : cutShort(cause, options.routeName)
    close(exchange)
    if (inflow !== null) inflow.fail(error)
    else exchange.resolve(failureAfterSending(error, received(exchange)))
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
  exchange.resolve(failureOfAbort(sent, received(exchange)))
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
