import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type CancelSignal, cancel } from '../cancel.js'
import type { BodySource, GatewayRequest } from '../exchange.js'
import { type Answer, ask } from '../identity/ask.js'
import { peerIn } from '../identity/request-facts.js'
import type { Identity } from '../options.js'
import { bodyGone, bodyInMemory, bodyTooLarge, clientClosed, parsedBody } from './body.js'
import { isClosed, isEndedByUs } from './node-reply.js'

/** What a framework knows of a request that `node:http` does not. */
export interface NodeRequestFacts {
  /** Asked once at most. */
  identify(): Answer
  /** What the framework's parser has left, if one ran; its stream decides whether one did. */
  body?: unknown
  /** The framework's own request, if that is another one: it may know whose address a proxy hides. */
  from?: unknown
  /** The mount has a path of its own, which is gone from `req.url`. */
  mounted?: boolean
  /** The host answers by itself and hoosh only works for it: that its answer is through ends nothing then. */
  hostAnswers?: boolean
}

/**
 * A request of `node:http`, or of any framework on top of it, for the gateway. Everything but method and path is made
 * when it is asked for, so that a request that turns out not to be hoosh's costs next to nothing.
 */
export function fromNode(req: IncomingMessage, res: ServerResponse, facts: NodeRequestFacts): GatewayRequest {
  const target = originForm(req.url ?? '/')
  const mark = target.indexOf('?')
  const request: NodeRequest = Object.create(LAZY)
  request.req = req
  request.res = res
  request.facts = facts
  request.search = mark === -1 ? '' : target.slice(mark + 1)
  request.method = req.method ?? 'GET'
  request.path = mark === -1 ? target : target.slice(0, mark)
  request.mounted = facts.mounted ?? false
  request.header = (name) => {
    const value = req.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  request.identify = () => {
    request.madeIdentity ??= ask(facts.identify)
    return request.madeIdentity
  }
  return request
}

interface NodeRequest extends GatewayRequest {
  req: IncomingMessage
  res: ServerResponse
  facts: NodeRequestFacts
  search: string
  mounted: boolean
  madeQuery?: URLSearchParams
  madeBody?: BodySource
  madeSignal?: CancelSignal
  madeIdentity?: Promise<Identity | null>
}

/** What all requests share: accessors written into each request's own literal would cost 2 us each. */
const LAZY: ThisType<NodeRequest> = {
  get query() {
    this.madeQuery ??= new URLSearchParams(this.search)
    return this.madeQuery
  },
  get body() {
    this.madeBody ??= bodyOf(this.req, this.facts.body)
    return this.madeBody
  },
  get address() {
    return peerIn(this.facts.from ?? this.req)
  },
  get signal() {
    this.madeSignal ??= signalOf(this.req, this.res, this.facts.hostAnswers === true)
    return this.madeSignal
  },
}

/** Scheme and authority that every reader of URLs takes for the same. */
const ORIGIN = /^https?:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?=[/?]|$)/i

/**
 * A request target without scheme and authority, which proxies may send (RFC 9112, 3.2.2). Where those are odd it is nobody's
 * path: the host's router may have read another one out of it, and let it pass.
 */
function originForm(target: string): string {
  if (target.startsWith('/')) return target
  const path = target.replace(ORIGIN, '')
  return path.startsWith('/') ? path : `/${path}`
}

/**
 * Aborts when nobody waits for the answer any more. That is `close` of the response: a request closes as soon as its
 * body has been read, long before the client leaves. A response that is through without our having ended it was answered
 * by somebody else, such as a timeout of the host's own.
 */
function signalOf(req: IncomingMessage, res: ServerResponse, hostAnswers: boolean): CancelSignal {
  const gone = cancel()
  const leave = () => {
    // HTTP/2's response counts as finished once it is closed.
    const isThrough = res.writableFinished && res.writableEnded
    if (!isThrough || !(hostAnswers || isEndedByUs(res))) gone.abort(clientClosed())
  }
  if (isClosed(res)) leave()
  else {
    res.on('close', leave)
    if (res.socket === null) leaveWith(req.socket, res, leave)
  }
  return gone
}

const WAITING = Symbol('hoosh.waiting')

/**
 * A response that waits for those of pipelined requests before it has no socket yet, and is never told that it closes. All
 * of a connection share one listener: of more than ten Node would warn.
 */
function leaveWith(socket: Socket & { [WAITING]?: Set<() => void> }, res: ServerResponse, leave: () => void): void {
  if (socket.destroyed) return void leave()
  let waiting = socket[WAITING]
  if (waiting === undefined) {
    const all = new Set<() => void>()
    socket.on('close', () => {
      for (const one of all) one()
    })
    socket[WAITING] = all
    waiting = all
  }
  waiting.add(leave)
  res.on('close', () => waiting.delete(leave))
}

/**
 * The body, from wherever it is now. Whether a parser has read it is told by the stream alone: Express 4 leaves `{}`
 * where its parsers passed by. The bytes that many hosts keep as `rawBody` are better than what was made of them.
 */
function bodyOf(req: IncomingMessage & { rawBody?: unknown }, left: unknown): BodySource {
  if (!req.readableEnded) return { bytes: (maxBytes) => readBytes(req, maxBytes) }
  const bytes = [req.rawBody, left].find((body) => typeof body === 'string' || body instanceof Uint8Array)
  if (bytes !== undefined) return bodyInMemory(bytes as Uint8Array | string)
  return left === undefined ? { bytes: () => Promise.reject(bodyGone()) } : parsedBody(left)
}

/** Reads to the end, or to one chunk above the limit. What comes after that is let go, so that the answer gets through. */
function readBytes(req: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) return Promise.reject(bodyTooLarge(maxBytes))
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let size = 0
    const done = () => {
      req.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
    }
    const onData = (data: Uint8Array | string) => {
      // Text where the host has said `setEncoding`.
      const chunk = typeof data === 'string' ? Buffer.from(data, req.readableEncoding!) : data
      size += chunk.byteLength
      chunks.push(chunk)
      if (size <= maxBytes) return
      done()
      req.resume()
      reject(bodyTooLarge(maxBytes))
    }
    const onEnd = () => {
      done()
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size))
    }
    const onClose = () => {
      done()
      reject(clientClosed())
    }
    if (req.destroyed) return onClose()
    req.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
    req.resume() // the host may have paused it
  })
}
