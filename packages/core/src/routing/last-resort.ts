import { HooshError } from '../errors.js'
import { isPassable, lastResortAt, shortenCoolDown } from './circuit.js'
import { type Route, rests } from './route.js'

/**
 * What becomes of a call that no route of its model is ready for. Those behind an open circuit may be due for a trial
 * before they have cooled down, since nothing else is left to ask: then there is no error.
 *
 * @returns null where a trial may begin; else `providers_unavailable`, or `provider_auth` where none accepts our keys, with
 *   the time after which it is worth another try
 */
export function lastResort(routes: readonly Route[], model: string, now: number): HooshError | null {
  const isRefused = ({ provider: { rest } }: Route) => rest?.why === 'refused' && rests(rest, now)
  const awake = routes.filter((route) => !isRefused(route))
  // Not `some`: each of them has its trial.
  if (awake.filter(({ circuit }) => shortenCoolDown(circuit, now)).length > 0) return null
  const again = Math.min(
    ...routes.map((route) => {
      const trialAt = isPassable(route.circuit, now) ? now : lastResortAt(route.circuit)
      return isRefused(route) ? Math.max(trialAt, route.provider.rest!.until) : trialAt
    }),
  )
  const details = { retryAfterMs: Math.max(1_000, again - now) }
  if (awake.length > 0) {
    const message = `Every provider of the model "${model}" has failed several times in a row and is being left alone for a moment.`
    return new HooshError('providers_unavailable', { message, details })
  }
  const message = `Every provider of the model "${model}" refuses the gateway's own keys.`
  return new HooshError('provider_auth', { message, details })
}
