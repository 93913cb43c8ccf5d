import { HooshError } from '../errors.js'
import { isPassable, lastResortAt, shortenCoolDown } from './circuit.js'
import { type Route, rests } from './route.js'

/**
 * What becomes of a call that no route of its model is ready for. Those behind an open circuit may be due for a trial
 * before they have cooled down, since nothing else is left to ask: then there is no error.
 *
 * @returns null where a trial may begin; else `providers_unavailable`, `provider_rate_limited` (all have asked to be left
 *   alone) or `provider_auth` (none accepts our keys), each with the time after which it is worth another try
 */
export function lastResort(routes: readonly Route[], model: string, now: number): HooshError | null {
  const awake = routes.filter(({ provider }) => !rests(provider.rest, now))
  // Not `some`: each of them has its trial.
  if (awake.filter(({ circuit }) => shortenCoolDown(circuit, now)).length > 0) return null
  const again = Math.min(
    ...routes.map(({ circuit, provider }) => {
      const trialAt = isPassable(circuit, now) ? now : lastResortAt(circuit)
      return Math.max(trialAt, provider.rest?.until ?? 0)
    }),
  )
  const details = { retryAfterMs: Math.max(1_000, again - now) }
  if (awake.length > 0) {
    const message = `Every provider of the model "${model}" has failed several times in a row and is being left alone for a moment.`
    return new HooshError('providers_unavailable', { message, details })
  }
  if (routes.every(({ provider }) => provider.rest?.why === 'refused')) {
    const message = `Every provider of the model "${model}" refuses the gateway's own keys.`
    return new HooshError('provider_auth', { message, details })
  }
  const message = `Every provider of the model "${model}" has asked us to wait.`
  return new HooshError('provider_rate_limited', { message, details })
}
