import { type Capacity, isWhole, nanoUsdOf } from '../amount.js'
import { HooshError } from '../errors.js'
import type { Limits, PoolSpec, Window } from '../options.js'
import type { PoolTerms } from './terms.js'
import { isTimeZone } from './window.js'

/** The largest cap: with what is used and held on top, sums stay safe integers. */
const MAX_CAP = 2 ** 52

const FIELDS = namesOf<PoolSpec>({
  tokens: true,
  usd: true,
  window: true,
  timeZone: true,
  limits: true,
  unpriced: true,
  frozen: true,
})
const LIMITS = namesOf<Limits>({ requestsPerMinute: true, tokensPerMinute: true, concurrent: true, weight: true })
const WINDOWS: unknown[] = ['hour', 'day', 'week', 'month']

/** Told of a field, dotted, and what it must be. */
type Fault = (field: string, rule: string) => HooshError

/**
 * Checks a pool of the host's options and puts it into integers, frozen.
 *
 * A field that is not known is refused as well: a cap with a slip in its name would be no cap.
 *
 * @throws HooshError `invalid_options`, naming the pool
 */
export function poolTerms(spec: unknown, pool = ''): PoolTerms {
  return termsOf(spec, (field, rule) => {
    const place = field === '' ? `pools["${pool}"]` : `pools["${pool}"].${field}`
    return new HooshError('invalid_options', { message: `${place} must be ${rule}.` })
  })
}

/**
 * The same for a pool that came over the wire.
 *
 * @throws HooshError `invalid_request` with the field as `param`
 */
export function wirePoolTerms(body: unknown): PoolTerms {
  return termsOf(body, (field, rule) => {
    const message = `${field === '' ? 'The body' : field} must be ${rule}.`
    return new HooshError('invalid_request', { message, details: field === '' ? {} : { param: field } })
  })
}

function termsOf(spec: unknown, fault: Fault): PoolTerms {
  const fields = objectOf(spec, '', FIELDS, fault) as Partial<Record<keyof PoolSpec, unknown>>
  const { timeZone = 'UTC', unpriced = 'refuse', frozen = false } = fields
  if (typeof timeZone !== 'string' || !isTimeZone(timeZone)) throw fault('timeZone', 'the IANA name of a time zone')
  if (unpriced !== 'refuse' && unpriced !== 'allow') throw fault('unpriced', "'refuse' or 'allow'")
  if (typeof frozen !== 'boolean') throw fault('frozen', 'true or false')
  return Object.freeze({
    capacity: Object.freeze(capacityOf(fields, fault)),
    window: windowOf(fields.window ?? null, fault),
    timeZone,
    ...(fields.limits !== undefined && { limits: Object.freeze(limitsOf(fields.limits, fault)) }),
    unpriced,
    ...(frozen && { frozen }),
  })
}

function capacityOf({ tokens, usd }: Partial<Record<keyof PoolSpec, unknown>>, fault: Fault): Capacity {
  const capacity: Capacity = {}
  if (tokens !== undefined) {
    if (!isWhole(tokens) || tokens > MAX_CAP) throw fault('tokens', 'a whole number from 0 to 2^52')
    capacity.tokens = tokens
  }
  if (usd !== undefined) {
    const nanoUsd = typeof usd === 'number' || typeof usd === 'string' ? nanoUsdOf(usd) : null
    if (nanoUsd === null) throw fault('usd', 'an amount of USD from 0 to 4,503,599 with up to nine decimals')
    capacity.nanoUsd = nanoUsd
  }
  return capacity
}

function windowOf(window: unknown, fault: Fault): Window {
  if (window === null || WINDOWS.includes(window)) return window as Window
  const rule = "'hour', 'day', 'week', 'month', { everyMs } or null"
  if (typeof window !== 'object') throw fault('window', rule)
  const { everyMs } = objectOf(window, 'window', ['everyMs'], fault)
  if (!isWhole(everyMs) || everyMs === 0) throw fault('window.everyMs', 'a whole number of milliseconds, 1 or more')
  return Object.freeze({ everyMs })
}

function limitsOf(given: unknown, fault: Fault): Limits {
  const limits = objectOf(given, 'limits', LIMITS, fault)
  for (const [name, limit] of Object.entries(limits)) {
    if (limit !== undefined && !isWhole(limit)) throw fault(`limits.${name}`, 'a whole number, 0 or more')
  }
  return { ...limits }
}

function objectOf(given: unknown, place: string, known: readonly string[], fault: Fault): Record<string, unknown> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw fault(place, 'an object')
  const prefix = place === '' ? '' : `${place}.`
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) throw fault(prefix + name, `absent: it is none of ${known.join(', ')}`)
  }
  return given as Record<string, unknown>
}

/** The names of all fields there are: one that is forgotten does not compile. */
function namesOf<Options>(fields: Record<keyof Options, true>): string[] {
  return Object.keys(fields)
}
