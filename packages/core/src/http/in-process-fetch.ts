import { type CancelSignal, cancel, follow } from '../cancel.js'
import type { GatewayReply } from '../exchange.js'
import type { ContextCaller, Gateway } from '../host.js'
import { RUN_HEADER } from '../inference/runs.js'
import { fromWeb, letGo, toResponse } from './web-bridge.js'

/**
 * A `fetch` that never leaves the process: of the URL only path and query count. Rejects as fetch does when its signal
 * aborts; the call ends then, as it does when the answer's body is cancelled or the caller's own signal aborts.
 */
export function inProcessFetch(
  handle: Gateway['handle'],
  caller: ContextCaller & { run?: string | undefined },
): typeof fetch {
  return async (input, init) => {
    // A real Request, so that every kind of body that fetch takes becomes bytes and a content type here too.
    const request = new Request(input instanceof Request ? input : new URL(String(input), 'http://hoosh'), init)
    if (caller.run !== undefined) request.headers.append(RUN_HEADER, caller.run)
    const gone = cancel()
    const unfollow = follow(gone, [request, caller])
    if (gone.aborted) throw gone.reason
    const asked = fromWeb(request, { identify: () => caller.identify(), signal: gone })
    if (caller.requestId !== undefined) asked.requestId = caller.requestId
    asked.mounted = true // no host has a page here that could be shadowed
    const reply = handle(asked)
    try {
      await unlessAborted(reply, gone)
    } catch (reason) {
      unfollow()
      void drop(reply)
      throw reason
    }
    return toResponse(await reply, { method: request.method, gone, ended: unfollow })
  }
}

/** Takes an answer that nobody waits for any more: what the gateway holds for it has to be settled all the same. */
async function drop(reply: Promise<GatewayReply>): Promise<void> {
  const { body } = await reply
  if (typeof body === 'function') await letGo(body)
}

/** Settles as `value` does, unless the signal aborts first: then it rejects with the reason. */
function unlessAborted<T>(value: Promise<T>, signal: CancelSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    signal.addEventListener('abort', leave)
    value.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}
