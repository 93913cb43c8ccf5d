import { type Gateway, type HooshContext, HooshError, type HooshOptions, type Identify } from '@hoosh/core'
import { type FetchHandler, toFetchHandler } from '@hoosh/core/fetch'
import { headers } from 'next/headers.js'
import { after } from 'next/server.js'

/** Options of a gateway in an app of Next.js. */
export interface NextOptions extends HooshOptions {
  /** Who is calling, from the request or whatever the login reads by itself. Without it every call is 401. */
  identify?: Identify<Request>
}

/** A gateway in an app of Next.js. */
export interface NextHoosh {
  /** What `app/v1/[...path]/route.ts` exports. A path that hoosh does not know is a JSON 404. */
  readonly handlers: Readonly<Record<'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS', RouteHandler>>
  /**
   * Model calls, budget and audit log of whoever sent a request. A server action or a page has none at hand: without
   * one, `identify` is given a request with the headers of `next/headers`, whose URL and body mean nothing.
   */
  context(request?: Request): Promise<HooshContext>
  /** For code that answers nobody: `ai.gateway.as({ user: 'nightly' })`. */
  readonly gateway: Gateway
}

/** A route handler of the App Router. */
export type RouteHandler = (request: Request) => Promise<Response>

/**
 * hoosh for the App Router of Next.js. Nothing happens before the first request, so `next build` needs no secret. The
 * audit log is one chain of all processes unless `audit.chain` says otherwise.
 *
 * Next evaluates a module once for routes and once for pages, and anew at each edit while developing; all of them get the
 * same gateway, one for each `basePath`. While developing, changed options make a new one, and the old one is closed; so
 * does every evaluation where options hold more than data, since what a function means cannot be compared.
 *
 * @throws HooshError `invalid_options`
 * @example
 * // lib/hoosh.ts
 * export const ai = createHoosh({ identify: async () => userOf(await auth()) })
 * // app/v1/[...path]/route.ts
 * export const { GET, POST, PUT, DELETE, OPTIONS } = ai.handlers
 */
export function createHoosh(options: NextOptions = {}): NextHoosh {
  // Looked at here first, since no other mount takes them apart.
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new HooshError('invalid_options', { message: 'The options object has to be an object.' })
  }
  const place = options.basePath ?? ''
  const mounts = mountsOfProcess()
  mounts.set(place, mounted(options, mounts.get(place)))
  const current = (): FetchHandler => mounts.get(place)!.handler
  const handle: RouteHandler = (request) => current()(request)
  return {
    handlers: { GET: handle, HEAD: handle, POST: handle, PUT: handle, DELETE: handle, OPTIONS: handle },
    context: async (request) => current().context(request ?? new Request('http://next', { headers: await headers() })),
    get gateway() {
      return current().gateway
    },
  }
}

/** A mount, and what its gateway was made from: null where that is more than data. */
interface Mounted {
  readonly handler: FetchHandler
  readonly data: string | null
}

const MOUNTS = Symbol.for('@hoosh/next')

/** `globalThis` outlives the evaluations of a module, and is shared by the copies of it that bundles hold. */
function mountsOfProcess(): Map<string, Mounted> {
  const home = globalThis as { [MOUNTS]?: Map<string, Mounted> }
  home[MOUNTS] ??= new Map()
  return home[MOUNTS]
}

function mounted({ identify, ...options }: NextOptions, before: Mounted | undefined): Mounted {
  const data = dataOf(options)
  const mine = identify && { identify }
  const isSame = process.env.NODE_ENV === 'production' || (data !== null && data === before?.data)
  if (before !== undefined && isSame) {
    return { data, handler: toFetchHandler(before.handler.gateway, { ...mine, waitUntil: awake }) }
  }
  before?.handler.gateway.close().catch(() => {}) // its calls finish; a store that fails now concerns nobody
  return { data, handler: toFetchHandler({ ...withSharedChain(options), ...mine }, { waitUntil: awake }) }
}

/** A call is settled before its answer ends, except where its client leaves: the rest needs the process awake. */
function awake(work: Promise<void>): void {
  try {
    after(work)
  } catch {
    // Nobody freezes what runs outside of Next, as a host's own tests do.
  }
}

function withSharedChain({ audit = {}, ...options }: HooshOptions): HooshOptions {
  return { ...options, audit: audit && { chain: 'shared', ...audit } }
}

/** Options as JSON; null where functions or objects of a class are among them. */
function dataOf(options: HooshOptions): string | null {
  let isData = true
  const text = JSON.stringify(options, (_key, value: unknown) => {
    if (typeof value !== 'function' && (typeof value !== 'object' || isPlain(value))) return value
    isData = false
    return undefined
  })
  return isData ? text : null
}

function isPlain(value: object | null): boolean {
  return value === null || Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
}
