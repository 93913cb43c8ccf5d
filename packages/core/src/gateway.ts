import { hostname } from 'node:os'
import { checkOptions } from './config/settings.js'
import { credentialsOf } from './credentials.js'
import { createPolicy } from './dlp/policy.js'
import { HooshError, shuttingDown } from './errors.js'
import type { Gateway } from './host.js'
import { hostContext } from './host-context.js'
import { type Door, handle, serves } from './http/handle.js'
import { inProcessFetch } from './http/in-process-fetch.js'
import { routeTable } from './http/table.js'
import type { Engine } from './inference/engine.js'
import { loggerOf } from './observability/logger.js'
import type { HooshOptions } from './options.js'
import { idsFrom } from './random.js'
import { ROUTES } from './routes/all.js'
import { type Started, start } from './start.js'

/** How long running calls have to finish when the gateway closes, ms. */
const DRAIN_MS = 30_000
const DEFAULT_MAX_BODY = 20 * 1024 * 1024

/**
 * Makes a gateway. Nothing happens yet: no socket, timer, file or secret is needed before the first request or
 * `ready()`, so that a build may import the module that calls this.
 *
 * @throws HooshError `invalid_options` that names the option and the mend
 */
export function createGateway(options: HooshOptions = {}): Gateway {
  checkOptions(options)
  const dlp = options.dlp === undefined ? null : createPolicy(options.dlp)
  const ids = idsFrom(options.random, options.clock ?? Date.now)
  let started: Started | null = null
  let starting: Promise<Started> | null = null
  let isClosing = false
  // A gateway that cannot start has no engine, and a log all the same.
  const logger = loggerOf(options.logger)

  const begin = (): Promise<Started> => {
    starting ??= start(options, { node: hostname(), ids, dlp }).then(
      (ready) => (started = ready),
      (thrown) => {
        starting = null
        throw thrown instanceof HooshError ? thrown : new HooshError('not_ready', { cause: thrown })
      },
    )
    return starting
  }
  const engine = (): Engine | Promise<Engine> => {
    if (isClosing) throw shuttingDown()
    return started?.engine ?? begin().then((ready) => ready.engine)
  }
  const door: Door = {
    table: routeTable(ROUTES),
    basePath: (options.basePath ?? '').replace(/\/+$/, ''),
    rootRoutes: options.rootRoutes === true,
    cors: options.cors?.origins ?? null,
    maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY,
    ids,
    engine,
    noteError(error, requestId) {
      if (error.status >= 500) logger.error({ requestId, code: error.code, err: error.cause ?? error }, error.message)
    },
  }
  // In process there is no mount: `/v1` is where it is, whatever path the host gave the gateway.
  const inside: Door = { ...door, basePath: '' }
  const parts = {
    engine,
    ids,
    fetchFor: (caller: Parameters<typeof inProcessFetch>[1]) =>
      inProcessFetch((request) => handle(inside, request), caller),
  }
  return {
    dev: options.dev === true,
    serves: (request) => serves(door, request),
    handle: (request) => handle(door, request),
    credentials: credentialsOf(engine),
    context: (caller) => hostContext(parts, caller),
    as: (identity) => hostContext(parts, { identify: async () => identity }),
    ready: async () => void (await engine()),
    async close({ timeoutMs = DRAIN_MS } = {}) {
      isClosing = true
      const ready = started ?? (await starting?.catch(() => null))
      await ready?.close(timeoutMs)
    },
  }
}
