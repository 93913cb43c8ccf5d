import { errorReply } from '../error-body.js'
import { asHooshError, HooshError } from '../errors.js'
import type { GatewayReply, GatewayRequest } from '../exchange.js'
import { type Caller, NOBODY, normalise } from '../identity/caller.js'
import { networkOf } from '../identity/ip-ranges.js'
import type { Engine } from '../inference/engine.js'
import type { Exchange, RouteDefinition } from '../routes/route.js'
import { corsHeaders, preflight } from './cors.js'
import { readJson } from './json-body.js'
import { nothingThere } from './nothing-there.js'
import type { RouteTable } from './table.js'

/** What answering needs: the engine once it has started, the table, and where the gateway lives. */
export interface Door {
  readonly table: RouteTable
  readonly basePath: string
  readonly rootRoutes: boolean
  readonly cors: readonly string[] | null
  readonly maxBodyBytes: number
  readonly ids: () => string
  /** Starts the engine on first use; rejects with `not_ready`, `invalid_options`, `shutting_down`. */
  engine(): Promise<Engine> | Engine
  noteError(error: HooshError, requestId: string): void
}

/** Whether a request is hoosh's. */
export function serves(
  door: Door,
  { method, path, mounted }: Pick<GatewayRequest, 'method' | 'path' | 'mounted'>,
): boolean {
  const below = belowBase(door, path)
  if (below === null) return false
  const found = door.table.find(method, below, isMounted(door, mounted))
  if (found.kind === 'unknown') return false
  return found.kind === 'route' || method !== 'OPTIONS' || door.cors !== null
}

/** Answers a request. Never rejects. */
export async function handle(door: Door, request: GatewayRequest): Promise<GatewayReply> {
  const requestId = request.requestId ?? givenId(request) ?? door.ids()
  let reply: GatewayReply
  try {
    reply = await answer(door, request, requestId)
  } catch (thrown) {
    const error = asHooshError(thrown)
    door.noteError(error, requestId)
    reply = errorReply(error, requestId)
  }
  // No browser shall take an answer for a page or a script, whatever a provider has put into it.
  reply.headers['x-content-type-options'] = 'nosniff'
  if (door.cors !== null) Object.assign(reply.headers, corsHeaders(door.cors, request.header('origin')))
  return reply
}

async function answer(door: Door, request: GatewayRequest, requestId: string): Promise<GatewayReply> {
  const { method, path } = request
  const below = belowBase(door, path)
  const found = below === null ? null : door.table.find(method, below, isMounted(door, request.mounted))
  if (found === null || found.kind === 'unknown') {
    throw nothingThere(method, { asked: shortened(path), below, basePath: door.basePath })
  }
  if (found.kind === 'other-method') {
    if (method === 'OPTIONS' && door.cors !== null)
      return preflight(found.allow, request.header('access-control-request-headers'))
    throw new HooshError('method_not_allowed', {
      message: `${shortened(path)} takes ${found.allow}.`,
      details: { allow: found.allow },
    })
  }
  const starting = door.engine()
  const engine = starting instanceof Promise ? await starting : starting
  const caller = await admitted(engine, request, found.route, requestId)
  const exchange: Exchange = {
    request,
    params: found.params,
    requestId,
    readJson: () => readJson(request, door.maxBodyBytes),
    whoever: () => callerOf(request),
    caller: caller ?? NOBODY,
  }
  return found.route.handle(exchange, engine)
}

/** Who may pass: nobody is let in who is not identified, and admins alone where only they may. */
async function admitted(
  engine: Engine,
  request: GatewayRequest,
  route: RouteDefinition,
  requestId: string,
): Promise<Caller | null> {
  const { access } = route
  if (access === 'anyone') return null
  if (access === 'scraper' && engine.mayScrape(request.header('authorization'))) return null
  let caller: Caller | null
  try {
    caller = await callerOf(request)
  } catch (thrown) {
    if (thrown instanceof HooshError && thrown.status === 401) await noteFailedAuth(engine, request, requestId)
    throw thrown
  }
  if (caller === null) {
    await noteFailedAuth(engine, request, requestId)
    throw new HooshError('unauthenticated', {
      message: 'Nobody is signed in. Send the credentials that this app expects.',
    })
  }
  const refusal = refusalOf(engine, caller, route)
  if (refusal !== null) {
    const metadata = { method: request.method, path: shortened(request.path) }
    engine.audit?.forbidden({ message: refusal, subject: caller.user, requestId, metadata })
    throw new HooshError('forbidden', { message: refusal })
  }
  return caller
}

/**
 * Counts a request that nobody answers for. Whoever tries too often is told when to come back, and nothing of what they
 * tried; a right credential passes all the same, since many may share an address.
 *
 * @throws HooshError `rate_limit_exceeded`
 */
async function noteFailedAuth(engine: Engine, request: GatewayRequest, requestId: string): Promise<void> {
  engine.metrics.refused('unauthenticated')
  await engine.audit?.authFailed({ requestId, path: shortened(request.path) })
  const { address } = request
  if (address === undefined) return
  const limit = engine.settings.limits.failedAuthPerMinute
  await engine.limits.take([
    { key: `failed authentication of ${networkOf(address)}`, limit, windowMs: 60_000, cost: 1 },
  ])
}

/** Why somebody who is known may not call a route; null where they may. */
function refusalOf(engine: Engine, caller: Caller, { access, isForPages }: RouteDefinition): string | null {
  const { credential } = caller.identity
  if (credential?.kind === 'browser' && isForPages !== true) return 'A browser token may not call this endpoint.'
  if (access === 'identity' || caller.admin) return null
  if (access !== 'owner' || engine.settings.keys.selfService !== true) return 'This endpoint is for the role `admin`.'
  return credential === undefined ? null : 'A key does not manage keys; sign in as the app does.'
}

async function callerOf(request: GatewayRequest): Promise<Caller | null> {
  const identity = await request.identify()
  return identity === null ? null : normalise(identity)
}

function belowBase({ basePath }: Door, path: string): string | null {
  if (basePath === '') return path
  if (path === basePath) return '/'
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : null
}

function isMounted({ basePath, rootRoutes }: Door, mounted: boolean | undefined): boolean {
  return rootRoutes || mounted === true || basePath !== ''
}

/** The caller's own id, if it is short and plain enough for a header and a log line. */
function givenId(request: GatewayRequest): string | null {
  const id = request.header('x-request-id')
  return id !== undefined && /^[\w.:-]{1,128}$/.test(id) ? id : null
}

function shortened(path: string): string {
  return path.length <= 100 ? path : `${path.slice(0, 100)}…`
}
