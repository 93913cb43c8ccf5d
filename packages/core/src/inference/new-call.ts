import type { CancelSignal } from '../cancel.js'
import { HooshError } from '../errors.js'
import type { Caller } from '../identity/caller.js'
import type { Call } from './call.js'
import type { Engine } from './engine.js'
import { tierOf } from './priority.js'

/** What a route or the host's own code knows of a call. */
export interface CallSource {
  readonly kind: Call['kind']
  readonly params: Readonly<Record<string, unknown>>
  readonly bytes: Uint8Array | null
  readonly caller: Caller
  readonly requestId: string
  readonly signal: CancelSignal
  readonly provider?: string | undefined
  /** The tier it asks for (`x-hoosh-priority`). */
  readonly priority?: string | undefined
}

/**
 * A call, with the pools that pay: the caller's whole chain. A `pool` field only checks that the caller has it; an
 * admin may name any, and then exactly that one pays.
 *
 * @throws HooshError `pool_not_allowed`, `invalid_request` for a priority that is none
 */
export function newCall(engine: Engine, source: CallSource): Call {
  const { params, caller } = source
  return {
    id: engine.ids(),
    requestId: source.requestId,
    kind: source.kind,
    stream: source.kind === 'chat' && params.stream === true,
    params,
    bytes: source.bytes,
    model: params.model as string,
    caller,
    pools: poolsOf(params.pool, caller),
    provider: source.provider,
    fallbacks: Array.isArray(params.fallbacks) ? (params.fallbacks as string[]) : undefined,
    tier: tierOf(source.priority, caller),
    signal: source.signal,
    startedAt: engine.clock(),
  }
}

function poolsOf(named: unknown, caller: Caller): readonly string[] {
  if (typeof named !== 'string' || caller.pools.includes(named)) return caller.pools
  return [nameablePool(named, caller), ...(caller.runs ?? [])]
}

/** A pool that the caller may name; whether another one exists is nobody's business. */
export function nameablePool(name: string, caller: Caller): string {
  if (caller.admin || caller.pools.includes(name)) return name
  throw new HooshError('pool_not_allowed', {
    message: `The pool "${name}" is not one of yours.`,
    details: { param: 'pool' },
  })
}
