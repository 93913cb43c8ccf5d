import { HooshError } from '../errors.js'
import type { GatewayRequest } from '../exchange.js'
import { type Caller, normalise } from '../identity/caller.js'
import { networkOf } from '../identity/ip-ranges.js'
import type { Engine } from '../inference/engine.js'
import { type GuardedRoute, shortened } from '../routes/route.js'

/**
 * Who may pass: nobody is let in who is not identified, and admins alone where only they may.
 *
 * @returns null for a scraper
 * @throws HooshError `unauthenticated`, `rate_limit_exceeded`, `forbidden`, and what `identify` throws
 */
export async function admitted(
  engine: Engine,
  request: GatewayRequest,
  route: GuardedRoute,
  requestId: string,
): Promise<Caller | null> {
  if (route.access === 'scraper' && engine.mayScrape(request.header('authorization'))) return null
  let caller: Caller | null
  try {
    caller = await callerOf(request)
  } catch (thrown) {
    if (isUnauthenticated(thrown)) await noteFailedAuth(engine, request, requestId)
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
 * Whether the app knows who asks what anyone may ask. What was presented and opens nothing counts here as anywhere; who
 * presents nothing is a probe.
 *
 * @throws HooshError `rate_limit_exceeded`, and what `identify` throws
 */
export async function isKnown(engine: Engine, request: GatewayRequest, requestId: string): Promise<boolean> {
  try {
    if ((await callerOf(request)) !== null) return true
  } catch (thrown) {
    if (!isUnauthenticated(thrown)) throw thrown
  }
  const isCredential = request.header('authorization') !== undefined || request.header('cookie') !== undefined
  if (isCredential) await noteFailedAuth(engine, request, requestId)
  return false
}

function isUnauthenticated(thrown: unknown): boolean {
  return thrown instanceof HooshError && thrown.status === 401
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
  const key = `failed authentication of ${networkOf(address)}`
  try {
    await engine.limits.take([{ key, limit, windowMs: 60_000, cost: 1 }])
  } catch (thrown) {
    if (!(thrown instanceof HooshError) || thrown.code !== 'rate_limit_exceeded') throw thrown
    const message = 'Too many failed authentications have come from this address in the last minute.'
    throw new HooshError('rate_limit_exceeded', { message, details: thrown.details })
  }
}

/** Why somebody who is known may not call a route; null where they may. */
function refusalOf(engine: Engine, caller: Caller, { access, isForPages }: GuardedRoute): string | null {
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
