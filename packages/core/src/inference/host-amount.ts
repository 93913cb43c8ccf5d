import { type Amount, isWhole, nanoUsdOf } from '../amount.js'
import { invalidField } from '../errors.js'
import type { HostAmount } from '../host.js'

/**
 * An amount as the host's own code says it: money in USD, by the rules of the HTTP API, or in nano-USD.
 *
 * @throws HooshError `invalid_request` that names the field
 */
export function amountOf({ tokens = 0, usd, nanoUsd = 0 }: HostAmount): Amount {
  for (const [param, value] of Object.entries({ tokens, nanoUsd })) {
    if (!isWhole(value)) throw invalidField(param, 'must be a whole number of at least 0')
  }
  if (usd === undefined) return { tokens, nanoUsd }
  if (nanoUsd !== 0) throw invalidField('usd', 'say the money as `usd` or as `nanoUsd`, not as both')
  const money = nanoUsdOf(usd)
  if (money === null) throw invalidField('usd', 'must be an amount of USD with at most nine decimals')
  return { tokens, nanoUsd: money }
}

/**
 * What was used of a hold, which has to be said: a slip must not read as nothing.
 *
 * @throws HooshError `invalid_request` that names the field
 */
export function usedOf(said: HostAmount): Amount {
  const isSaid = [said?.tokens, said?.usd, said?.nanoUsd].some((amount) => amount !== undefined)
  if (!isSaid) throw invalidField('amount', 'say what was used, as `tokens`, `usd` or both; `tokens: 0` for nothing')
  return amountOf(said)
}
