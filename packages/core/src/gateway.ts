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
import type { HooshOptions, Logger } from './options.js'
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
  const mounts = new Set<string | null>()
  const life = lifeOf(() => start(options, { node: hostname(), ids, dlp, mounts }))
  // A gateway that cannot start has no engine, and a log all the same.
  const noteError = notesOn(loggerOf(options.logger))
  const engine = (): Engine | Promise<Engine> => {
    const found = life.ready()
    return found instanceof Promise ? found.then((ready) => ready.engine, notStarted) : found.engine
  }
  /** For the host's own code, whose errors nobody else would note. */
  const engineInProcess = (): Engine | Promise<Engine> => {
    const found = engine()
    if (!(found instanceof Promise)) return found
    return found.catch((error: HooshError) => {
      noteError(error)
      throw error
    })
  }
  const door: Door = {
    table: routeTable(ROUTES),
    basePath: (options.basePath ?? '').replace(/\/+$/, ''),
    rootRoutes: options.rootRoutes === true,
    cors: options.cors?.origins ?? null,
    maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY,
    ids,
    engine,
    noteError,
  }
  // In process there is no mount: `/v1` is where it is, whatever path the host gave the gateway.
  const inside: Door = { ...door, basePath: '' }
  const parts = {
    engine: engineInProcess,
    noteError,
    ids,
    fetchFor: (caller: Parameters<typeof inProcessFetch>[1]) =>
      inProcessFetch((request) => handle(inside, request), caller),
  }
  return {
    dev: options.dev === true,
    serves: (request) => serves(door, request),
    handle: (request) => handle(door, request),
    noteMount: (warning) => void mounts.add(warning),
    credentials: credentialsOf(engineInProcess),
    context: (caller) => hostContext(parts, caller),
    as: (identity) => hostContext(parts, { identify: async () => identity }),
    ready: async () => void (await life.ready()),
    close: ({ timeoutMs = DRAIN_MS } = {}) => life.close(timeoutMs),
  }
}

/** One start, tried again by whoever comes after one that failed, and one end. */
function lifeOf(begin: () => Promise<Started>) {
  let started: Started | null = null
  let starting: Promise<Started> | null = null
  let isClosing = false
  return {
    ready(): Started | Promise<Started> {
      if (isClosing) throw shuttingDown()
      starting ??= begin().then(
        (ready) => (started = ready),
        (thrown) => {
          starting = null
          throw thrown instanceof HooshError ? thrown : new HooshError('not_ready', { cause: thrown })
        },
      )
      return started ?? starting
    },
    async close(timeoutMs: number): Promise<void> {
      isClosing = true
      const ready = started ?? (await starting?.catch(() => null))
      await ready?.close(timeoutMs)
    },
  }
}

/** Notes what is the host's to mend; of an error that keeps its reason from callers, the reason. Which function failed is not in that. */
function notesOn(logger: Logger) {
  return (error: HooshError, requestId?: string) => {
    if (error.status < 500) return
    const whole = error.code !== 'hook_failed' && error.cause instanceof HooshError ? error.cause : error
    logger.error({ requestId, code: whole.code, err: whole.cause ?? whole }, whole.message)
  }
}

/**
 * What callers are told of a start that failed. Why it did names variables, files and tables, so it is for the host: the
 * cause.
 */
function notStarted(cause: HooshError): never {
  const { retryAfterMs } = cause.details
  throw new HooshError(cause.code === 'store_unavailable' ? 'store_unavailable' : 'not_ready', {
    cause,
    ...(retryAfterMs !== undefined && { details: { retryAfterMs } }),
  })
}
