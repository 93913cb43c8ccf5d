import type { RateAsk } from '../budget/rates.js'
import { HooshError } from '../errors.js'
import type { Candidate, Route } from '../routing/route.js'
import type { Call, CallHold } from './call.js'
import type { Engine } from './engine.js'
import { type Counted, estimateOf, tokenAsk } from './limits.js'

const MINUTE_MS = 60_000

/** Whether a route has limits a minute of its own. */
export function isRateLimited({ rpm, tpm }: Route): boolean {
  return rpm !== undefined || tpm !== undefined
}

/**
 * Counts an attempt in its route's own windows.
 *
 * @returns why the route takes it not; null where it does
 * @throws HooshError `store_unavailable`
 */
export async function takeRoute(
  engine: Engine,
  call: Call,
  held: CallHold,
  candidate: Candidate,
): Promise<HooshError | null> {
  const { rpm, tpm } = candidate.route
  const key = `route ${candidate.route.name}`
  const asks: RateAsk[] = []
  if (rpm !== undefined) asks.push({ key, limit: rpm, windowMs: MINUTE_MS, cost: 1 })
  if (tpm !== undefined) asks.push(tokenAsk(tokensOf(candidate.route), tpm, estimateOf(call, candidate)))
  try {
    const { at } = await engine.limits.take(asks)
    if (tpm !== undefined) {
      held.windows ??= []
      held.windows.push({ key: tokensOf(candidate.route), taken: asks.at(-1)!.cost, at })
    }
    return null
  } catch (error) {
    if (error instanceof HooshError && error.code === 'rate_limit_exceeded') return untold(key, error)
    throw error
  }
}

/** What a route may take is between the host and its provider. */
function untold(key: string, { details: { retryAfterMs } }: HooshError): HooshError {
  return new HooshError('rate_limit_exceeded', {
    message: `${key} has reached its limit a minute.`,
    ...(retryAfterMs !== undefined && { details: { retryAfterMs } }),
  })
}

/** Of the attempts that were made, the tokens count for the last one on the route that answered. */
export async function mendRoutes(
  engine: Engine,
  windows: readonly Counted[],
  { route }: Candidate,
  usedTokens: number,
): Promise<void> {
  const last = windows.findLast(({ key }) => key === tokensOf(route))
  for (const window of windows) await engine.limits.mend([window], window === last ? usedTokens : 0)
}

function tokensOf({ name }: Route): string {
  return `route ${name} tokens`
}
