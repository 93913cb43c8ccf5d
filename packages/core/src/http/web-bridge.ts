import type { Cancel } from '../cancel.js'
import { HooshError } from '../errors.js'
import type { BodySource, ByteSink, GatewayReply, GatewayRequest } from '../exchange.js'
import { bodyGone, bodyTooLarge, clientClosed } from './body.js'

/** Bytes of a stream that wait for their reader before the writer is told to wait. */
const QUEUE_BYTES = 64 * 1024

const encoder = new TextEncoder()

type Stream = Extract<GatewayReply['body'], (sink: ByteSink) => Promise<void>>

/** What one request leaves behind for its answer. */
export interface Answering {
  /** `HEAD` gets no body. */
  readonly method: string
  /** Aborted by us when the reader cancels the answer's body. */
  readonly gone: Cancel
  /** A reader that takes nothing for so long, ms, while our queue is full, counts as gone; absent where it may take its time. */
  readonly stallMs?: number
  /** Called once, after the last of the answer's work. */
  ended(): void
}

/** A web request for the gateway; `identify` is asked once at most. */
export function fromWeb(
  request: Request,
  { identify, signal }: Pick<GatewayRequest, 'identify' | 'signal'>,
): GatewayRequest {
  const url = new URL(request.url)
  let identity: ReturnType<typeof identify> | undefined
  return {
    method: request.method,
    path: withoutSlash(url.pathname),
    query: url.searchParams,
    header: (name) => request.headers.get(name) ?? undefined,
    body: bodyOf(request),
    signal,
    identify: () => (identity ??= identify()),
  }
}

/** Next, SvelteKit and Astro can be told to end all paths in a slash: then they redirect whoever sends none. */
function withoutSlash(path: string): string {
  return path !== '/' && path.endsWith('/') ? path.slice(0, -1) : path
}

function bodyOf(request: Request): BodySource {
  return {
    async bytes(maxBytes) {
      if (request.bodyUsed) throw bodyGone('give it the request before you read it, or a clone of it')
      const announced = Number(request.headers.get('content-length') ?? Number.NaN)
      if (announced > maxBytes) throw bodyTooLarge(maxBytes)
      try {
        // A server holds a body to its announced length, so it may be read at one go, which costs servers on Node far less.
        return announced <= maxBytes
          ? limited(new Uint8Array(await request.arrayBuffer()), maxBytes)
          : await readUpTo(maxBytes, request.body)
      } catch (thrown) {
        throw thrown instanceof HooshError ? thrown : clientClosed()
      }
    },
  }
}

async function readUpTo(maxBytes: number, body: AsyncIterable<Uint8Array> | null): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.byteLength
    if (size > maxBytes) throw bodyTooLarge(maxBytes)
    chunks.push(chunk)
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
}

function limited(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.byteLength > maxBytes) throw bodyTooLarge(maxBytes)
  return bytes
}

/** A web response. */
export function toResponse({ status, headers, body }: GatewayReply, answering: Answering): Response {
  const { method, ended } = answering
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 304
  if (typeof body === 'function') {
    if (hasBody) return new Response(streamOf(body, answering), { status, headers })
    void letGo(body).then(ended)
    return new Response(null, { status, headers })
  }
  ended()
  const whole = typeof body === 'string' || body instanceof Uint8Array ? body : Buffer.concat(body)
  if (hasBody) return new Response(whole, { status, headers })
  if (method !== 'HEAD') return new Response(null, { status, headers })
  const length = Buffer.byteLength(whole)
  return new Response(null, { status, headers: { ...headers, 'content-length': String(length) } })
}

function streamOf(body: Stream, { gone, stallMs, ended }: Answering): ReadableStream<Uint8Array> {
  let wake: (() => void) | undefined
  return new ReadableStream<Uint8Array>(
    {
      start(queue) {
        const sink: ByteSink = {
          get closed() {
            return gone.aborted
          },
          write: (chunk) => {
            if (gone.aborted) return
            queue.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk)
            if (queue.desiredSize! > 0) return
            return new Promise((resolve) => {
              const stalled = () => gone.abort(clientClosed())
              const timer = stallMs === undefined ? undefined : setTimeout(stalled, stallMs)
              wake = () => {
                clearTimeout(timer)
                resolve()
              }
            })
          },
        }
        const leave = () => {
          wake?.()
          // Servers abort the request of a client that has gone and then cancel its answer; an error between the two
          // would be one in their log. After a cancel it is without effect.
          queueMicrotask(() => queue.error(gone.reason))
        }
        if (gone.aborted) leave()
        else gone.addEventListener('abort', leave)
        const end = () => {
          gone.removeEventListener('abort', leave)
          ended()
        }
        body(sink).then(
          () => {
            end()
            if (!gone.aborted) queue.close()
          },
          (error: unknown) => {
            end()
            queue.error(error)
          },
        )
      },
      pull: () => wake?.(),
      cancel: (reason) => gone.abort(reason),
    },
    { highWaterMark: QUEUE_BYTES, size: (chunk) => chunk.byteLength },
  )
}

/** Runs the writer of a stream that nobody reads: what the gateway holds for it has to be settled all the same. */
export async function letGo(body: Stream): Promise<void> {
  await body({ closed: true, write: () => undefined }).catch(() => undefined)
}
