import type { ServerResponse } from 'node:http'
import type { ByteSink, GatewayReply } from '../exchange.js'

/** How long a client may take nothing while we have bytes for it, in ms. */
export const STALL_MS = 30_000

/** Up to this size joining head and body is cheaper than writing them apart. */
const ONE_WRITE_BYTES = 65_536

/**
 * Sends a reply. Whole bodies go at once; a stream's promise resolves when its last byte is handed over. Never rejects:
 * where the writer of a stream fails, the connection is cut, so that the client does not take a part for the whole.
 *
 * @param settings.stallMs a client that takes nothing for so long, while our queue is full, is cut off; 30_000
 */
export function writeReply(
  res: ServerResponse,
  reply: GatewayReply,
  settings: { stallMs?: number } = {},
): void | Promise<void> {
  const stallMs = settings.stallMs ?? STALL_MS
  const { status, headers, body } = reply
  if (typeof body === 'function') return writeStream(res, reply, body, stallMs)
  if (res.headersSent) return // a timeout of the host's own has answered
  const pieces = typeof body === 'string' ? null : body instanceof Uint8Array ? [body] : body
  const length = pieces === null ? Buffer.byteLength(body as string) : lengthOf(pieces)
  const hasBody = status !== 204 && status !== 304
  if (hasBody) headers['content-length'] = String(length)
  // HTTP/2 has no such header.
  if (reply.isLast === true && res.req.httpVersionMajor === 1) headers.connection = 'close'
  writeHead(res, reply)
  noteEnd(res)
  if (!hasBody || res.req.method === 'HEAD') res.end()
  else if (pieces === null) res.end(body)
  else if (length <= ONE_WRITE_BYTES) res.end(latin1(pieces), 'latin1')
  else {
    for (const piece of pieces) res.write(piece)
    res.end()
  }
  cutIfStalled(res, stallMs)
}

/** What the host has said stays where the reply says nothing of it; what answers vary by is both. */
function writeHead(res: ServerResponse, { status, headers }: GatewayReply): void {
  const before = headers.vary === undefined ? undefined : res.getHeader('vary')
  res.writeHead(
    status,
    before === undefined ? headers : { ...headers, vary: joined(String(before), String(headers.vary)) },
  )
}

/** Two values of `vary`, each name once. */
function joined(before: string, ours: string): string {
  const names = before
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
  return names.includes('*') || names.includes(ours.toLowerCase()) ? before : `${before}, ${ours}`
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  let length = 0
  for (const { byteLength } of pieces) length += byteLength
  return length
}

/** The same bytes as a string: node joins that with the head into one write, where a Buffer would be a second. */
function latin1(pieces: readonly Uint8Array[]): string {
  let text = ''
  for (const { buffer, byteOffset, byteLength } of pieces)
    text += Buffer.from(buffer, byteOffset, byteLength).toString('latin1')
  return text
}

async function writeStream(
  res: ServerResponse,
  reply: GatewayReply,
  body: (sink: ByteSink) => Promise<void>,
  stallMs: number,
): Promise<void> {
  const usable = !res.headersSent
  let written = false
  const sink: ByteSink = {
    get closed() {
      return !usable || isClosed(res)
    },
    write: (chunk) => {
      if (!usable || isClosed(res)) return
      // Ended by the host: what it has said still goes out, and no more of ours.
      if (res.writableEnded) return drained(res, stallMs)
      written = true
      // `=== false`, since middleware that wraps `write` may return nothing.
      if (res.write(chunk) === false) return drained(res, stallMs)
    },
  }
  try {
    if (usable) writeHead(res, reply)
    const writing = body(sink)
    // Headers travel with the first chunk if it is there by now.
    if (usable && !written) res.flushHeaders()
    await writing
    if (!usable || res.writableEnded) return
    noteEnd(res)
    res.end()
    cutIfStalled(res, stallMs)
  } catch {
    res.destroy()
  }
}

const ENDED_BY_US = Symbol('hoosh.ended')

/** Says of a response that it ends with the whole of our answer. */
function noteEnd(res: ServerResponse & { [ENDED_BY_US]?: true }): void {
  res[ENDED_BY_US] = true
}

/** Whether a response has had all of our answer, rather than one of the host's own. */
export function isEndedByUs(res: ServerResponse & { [ENDED_BY_US]?: true }): boolean {
  return res[ENDED_BY_US] === true
}

/** Whether a response is through, or its client gone. HTTP/2's does not say it itself. */
export function isClosed(res: ServerResponse & { stream?: { readonly destroyed: boolean } }): boolean {
  return res.closed ?? res.stream?.destroyed
}

/** Resolves when the queue is empty or the client gone, which a client that stalls is after `stallMs`. */
function drained(res: ServerResponse, stallMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      res.off('drain', done).off('close', done)
      resolve()
    }
    const timer = setTimeout(() => res.destroy(), stallMs)
    timer.unref()
    res.on('drain', done).on('close', done)
  })
}

/** For the rest of a body that is still queued. The socket's own timeout knows slow progress from none. */
function cutIfStalled(res: ServerResponse, stallMs: number): void {
  if (res.writableLength > 0) res.setTimeout(stallMs)
}
