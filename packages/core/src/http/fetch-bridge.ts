import type { CancelSignal } from '../cancel.js'
import type { BodySource, ByteSink, GatewayReply, GatewayRequest } from '../exchange.js'
import type { ContextCaller, Gateway } from '../host.js'
import { bodyGone, bodyTooLarge } from './body.js'

/** Bytes of a stream that wait for their reader before the writer is told to wait. */
const QUEUE_BYTES = 64 * 1024

const encoder = new TextEncoder()

/**
 * A `fetch` that never leaves the process: of the URL only path and query count. Rejects as fetch does when its signal
 * aborts; the call ends then, as it does when the answer's body is cancelled or the caller's own signal aborts.
 */
export function inProcessFetch(handle: Gateway['handle'], caller: ContextCaller): typeof fetch {
  return async (input, init) => {
    // A real Request, so that every kind of body that fetch takes becomes bytes and a content type here too.
    const request = new Request(input instanceof Request ? input : new URL(String(input), 'http://hoosh'), init)
    const gone = new AbortController()
    const unfollow = follow(gone, [request, caller])
    if (gone.signal.aborted) throw gone.signal.reason
    const reply = handle(fromWeb(request, caller, gone.signal))
    try {
      await unlessAborted(reply, gone.signal)
    } catch (reason) {
      unfollow()
      void drop(reply)
      throw reason
    }
    return toResponse(await reply, request.method, gone, unfollow)
  }
}

/** A web request for the gateway. */
function fromWeb(request: Request, caller: ContextCaller, signal: AbortSignal): GatewayRequest {
  const url = new URL(request.url)
  return {
    method: request.method,
    path: url.pathname,
    query: url.searchParams,
    header: (name) => request.headers.get(name) ?? undefined,
    body: bodyOf(request),
    signal,
    identify: () => caller.identify(),
    ...(caller.requestId !== undefined && { requestId: caller.requestId }),
    mounted: true, // no host has a page here that could be shadowed
  }
}

function bodyOf(request: Request): BodySource {
  return {
    bytes: async (maxBytes) => {
      if (request.bodyUsed) throw bodyGone()
      const chunks: Uint8Array[] = []
      let size = 0
      for await (const chunk of request.body ?? []) {
        size += chunk.byteLength
        if (size > maxBytes) throw bodyTooLarge(maxBytes)
        chunks.push(chunk)
      }
      return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
    },
  }
}

/** A web response. `gone` is aborted when its body is cancelled; `ended` is called once, after its last byte. */
function toResponse(
  { status, headers, body }: GatewayReply,
  method: string,
  gone: AbortController,
  ended: () => void,
): Response {
  if (typeof body === 'function') return new Response(streamOf(body, gone, ended), { status, headers })
  ended()
  const hasBody = status !== 204 && status !== 304 && method !== 'HEAD'
  const whole = typeof body === 'string' || body instanceof Uint8Array ? body : Buffer.concat(body)
  return new Response(hasBody ? whole : null, { status, headers })
}

function streamOf(
  body: (sink: ByteSink) => Promise<void>,
  gone: AbortController,
  ended: () => void,
): ReadableStream<Uint8Array> {
  const { signal } = gone
  let wake: (() => void) | undefined
  return new ReadableStream<Uint8Array>(
    {
      start(queue) {
        const sink: ByteSink = {
          get closed() {
            return signal.aborted
          },
          write: (chunk) => {
            if (signal.aborted) return
            queue.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk)
            if (queue.desiredSize! > 0) return
            return new Promise((resolve) => {
              wake = resolve
            })
          },
        }
        const leave = () => {
          queue.error(signal.reason) // without effect where the reader has cancelled
          wake?.()
        }
        signal.addEventListener('abort', leave, { once: true })
        const end = () => {
          signal.removeEventListener('abort', leave)
          ended()
        }
        body(sink).then(
          () => {
            end()
            if (!signal.aborted) queue.close()
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

/** Takes an answer that nobody waits for any more: what the gateway holds for it has to be settled all the same. */
async function drop(reply: Promise<GatewayReply>): Promise<void> {
  const { body } = await reply
  if (typeof body === 'function') await body({ closed: true, write: () => undefined }).catch(() => undefined)
}

/**
 * Aborts `controller` as soon as one of the sources' signals does, until the function that comes back is called. It holds
 * the sources themselves: undici's Request lets go of the signal it was made with once it is collected.
 */
function follow(controller: AbortController, sources: readonly { signal?: CancelSignal }[]): () => void {
  const leave = () => controller.abort(sources.find(({ signal }) => signal?.aborted)?.signal?.reason)
  for (const { signal } of sources) signal?.addEventListener('abort', leave)
  if (sources.some(({ signal }) => signal?.aborted)) leave()
  return () => {
    for (const { signal } of sources) signal?.removeEventListener('abort', leave)
  }
}

/** Settles as `value` does, unless the signal aborts first: then it rejects with the reason. */
function unlessAborted<T>(value: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    signal.addEventListener('abort', leave)
    value.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}
