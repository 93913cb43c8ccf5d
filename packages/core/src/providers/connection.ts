// By its path, since Bun puts a stand-in of its own, without `dispatch`, where it reads `undici`.
import { type Dispatcher, Pool, ProxyAgent } from 'undici/index.js'
import { guardedLookup, type Reach, reachOf } from '../address.js'
import type { ProviderSettings } from '../config/settings.js'
import { readBaseUrl } from './base-url.js'
import { proxyFor } from './proxy.js'
import { type PinnedTls, pinnedTls } from './tls.js'

/** How a route gets to its provider. */
export interface Connection {
  readonly origin: string
  readonly connectMs: number
  readonly reach: Reach
  readonly tls: PinnedTls
  /** URL of a proxy. */
  readonly proxy: string | null
}

/** As much of a dispatcher as is used. */
export interface Line {
  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean
  destroy(): Promise<void>
}

/** Idle connections are dropped after this, ms: before uvicorn (5 s), which announces nothing, closes them under us. */
const KEEP_ALIVE_MS = 4_000
/** The same where the server announces its own patience. */
const KEEP_ALIVE_MAX_MS = 25_000

/** undici's own timers tick in half seconds and run on while we are paused, so ours are used. */
const TIMES = {
  keepAliveTimeout: KEEP_ALIVE_MS,
  keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
  headersTimeout: 0,
  bodyTimeout: 0,
}

/**
 * Reads how a route is to be reached: its address, what it pins, and the proxy of the environment.
 *
 * @throws HooshError `invalid_options` for an address that may not be reached, certificates that cannot be used, a proxy
 *   that is none
 */
export function connectionOf(
  config: ProviderSettings,
  baseUrl: string,
  more: { connectMs: number; environment: Readonly<Record<string, string | undefined>> },
): Connection {
  const routeName = config.name ?? config.type
  const url = readBaseUrl(baseUrl, routeName)
  return {
    origin: url.origin,
    connectMs: more.connectMs,
    reach: reachOf(url, config, {
      what: `The baseUrl of the provider "${routeName}"`,
      secret: 'its key and every prompt',
    }),
    tls: config.tls === undefined ? {} : pinnedTls(config.tls, routeName),
    proxy: proxyFor(url, more.environment),
  }
}

/** Connections to one origin, none of them open yet. */
export function openLine({ origin, connectMs, reach, tls, proxy }: Connection): Line {
  if (proxy === null) {
    const connect = { ...tls, lookup: guardedLookup(reach) }
    return new Pool(origin, { ...TIMES, connectTimeout: connectMs, connect })
  }
  const agent = new ProxyAgent({
    ...TIMES,
    uri: proxy,
    // A proxy that takes the connection and says nothing is one that was not reached.
    clientFactory: (url, options) => new Pool(url.origin, { ...options, headersTimeout: connectMs }),
    proxyTls: { timeout: connectMs },
    requestTls: { ...tls, timeout: connectMs, servername: new URL(origin).hostname },
  })
  return {
    dispatch: (request, handler) => agent.dispatch({ ...request, origin }, handler),
    destroy: () => agent.destroy(),
  }
}
