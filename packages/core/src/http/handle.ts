import { errorReply } from '../error-body.js'
import { asHooshError, HooshError } from '../errors.js'
import type { GatewayReply, GatewayRequest } from '../exchange.js'
import { NOBODY } from '../identity/caller.js'
import type { Engine } from '../inference/engine.js'
import { type OpenExchange, shortened } from '../routes/route.js'
import { within } from '../time.js'
import { admitted, isKnown } from './admission.js'
import { corsHeaders, preflight } from './cors.js'
import { readJson } from './json-body.js'
import { nothingThere } from './nothing-there.js'
import type { RouteTable } from './table.js'

/** How long who asks for the health of a gateway waits for its start and its login, ms: probes give up after a second. */
const PATIENCE_MS = 500

/** What answering needs: the engine once it has started, the table, and where the gateway lives. */
export interface Door {
  readonly table: RouteTable
  readonly basePath: string
  readonly rootRoutes: boolean
  readonly cors: readonly string[] | null
  readonly maxBodyBytes: number
  readonly ids: () => string
  /** Starts the engine on first use; rejects with `not_ready`, `store_unavailable`, `shutting_down`. */
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
  const { route, params } = found
  if (route.access === 'anyone') return route.handle(openExchange(door, request, requestId))
  const starting = door.engine()
  const engine = starting instanceof Promise ? await starting : starting
  const caller = await admitted(engine, request, route, requestId)
  const body = () => readJson(request, door.maxBodyBytes)
  return route.handle({ request, params, requestId, readJson: body, caller: caller ?? NOBODY }, engine)
}

function openExchange(door: Door, request: GatewayRequest, requestId: string): OpenExchange {
  const started = async () => door.engine()
  const ifKnown = async () => {
    const engine = await started()
    return (await isKnown(engine, request, requestId)) ? engine : null
  }
  return {
    requestId,
    engine: () => within(PATIENCE_MS, started()),
    async engineIfKnown() {
      try {
        return await within(PATIENCE_MS, ifKnown())
      } catch (thrown) {
        const error = asHooshError(thrown)
        if (error.code !== 'shutting_down') door.noteError(error, requestId)
        return null
      }
    },
  }
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
