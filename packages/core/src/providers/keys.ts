import { validateHeaderValue } from 'node:http'
import type { KeySource, ProviderSettings } from '../config/settings.js'
import { HooshError } from '../errors.js'
import { revealed } from '../secret.js'
import { type Awaitable, type Clock, within } from '../time.js'
import { secretsOf } from './headers.js'
import type { Rest, UpstreamFailure } from './provider.js'
import { redactor } from './redact.js'

/** How long a key that its provider refuses is left alone, ms. */
const REFUSED_MS = 30_000
/** Refusals in a row after which a key is left alone; one is enough for 401 where there are other keys. */
const REFUSALS = 3
/** Keys of a function that are remembered, so that an old one is still kept out of texts. */
const REMEMBERED = 8

/** One key of a route, as it is sent. */
export interface Key {
  /** Sent beside the headers that every request has; empty where those hold it already. */
  headers: readonly string[]
  value: string | null
  /** 401, 402 and 403 in a row. */
  refusals: number
  restUntil: number
  why: Rest['why']
}

/** The keys of one route: which is used next, and when one can be used at all. */
export interface Keys {
  /** The header of a single key that never changes, for every request. */
  readonly fixed: readonly (readonly [name: string, value: string])[]
  readonly rest: Rest
  /** The key to send next; a failure where the host's function gave none. */
  next(): Awaitable<Key | UpstreamFailure>
  /** An answer came. Returns whether another key may do better. */
  answered(key: Key, status: number, waitMs: number | undefined): boolean
  /** Removes secrets: keys that a function gave, too. */
  readonly redact: (text: string) => string
}

interface Ring {
  readonly sources: readonly KeySource[]
  readonly keys: readonly Key[]
  readonly rest: { -readonly [Field in keyof Rest]: Rest[Field] }
  readonly clock: Clock
  readonly routeName: string
  readonly patienceMs: number
  readonly headerOf: (key: string) => readonly [name: string, value: string]
  readonly learn: (value: string) => void
  at: number
}

/**
 * Keys in the order they are configured: one is used until its provider refuses or limits it, then the next. A function is
 * asked for each request, so that a key can change while the app runs.
 *
 * @param headerOf the header that carries a key; where `headers` configures the same one, that wins
 */
export function createKeys(
  config: ProviderSettings,
  more: { routeName: string; clock: Clock; patienceMs: number; headerOf: Ring['headerOf'] },
): Keys {
  const { apiKey, apiKeys = apiKey === undefined ? [] : [apiKey] } = config
  const [only] = apiKeys
  const isFixed = apiKeys.length === 0 || (apiKeys.length === 1 && typeof only !== 'function')
  const secrets = redacting(config)
  const ring: Ring = {
    ...more,
    sources: isFixed ? [] : apiKeys,
    keys: Array.from({ length: Math.max(1, apiKeys.length) }, newKey),
    rest: { until: 0, why: 'limited', refusals: 0 },
    learn: secrets.learn,
    at: 0,
  }
  return {
    fixed: apiKeys.length === 1 && typeof only !== 'function' ? [more.headerOf(revealed(only!))] : [],
    rest: ring.rest,
    next: isFixed ? () => ring.keys[0]! : () => nextKey(ring, config),
    answered: (key, status, waitMs) => noteAnswer(ring, key, status, waitMs),
    redact: secrets.redact,
  }
}

function newKey(): Key {
  return { headers: [], value: null, refusals: 0, restUntil: 0, why: 'limited' }
}

function redacting(config: ProviderSettings) {
  const known = secretsOf(config)
  const learned: string[] = []
  let redact = redactor(known)
  return {
    redact: (text: string) => redact(text),
    learn(value: string) {
      if (known.includes(value) || learned.includes(value)) return
      learned.unshift(value)
      learned.length = Math.min(learned.length, REMEMBERED)
      redact = redactor([...known, ...learned])
    },
  }
}

function nextKey(ring: Ring, config: ProviderSettings): Awaitable<Key | UpstreamFailure> {
  const at = usableFrom(ring, ring.at)
  ring.at = at
  const source = ring.sources[at]!
  if (typeof source !== 'function') return filled(ring, at, revealed(source), config)
  const failed = (cause: unknown) => noKey(ring, 'threw', cause)
  try {
    const given = source()
    if (typeof given === 'string') return filled(ring, at, given, config)
    return within(ring.patienceMs, given).then(
      (value) => (value === null ? noKey(ring, 'took too long') : filled(ring, at, value, config)),
      failed,
    )
  } catch (thrown) {
    return failed(thrown)
  }
}

/** The key that comes next and does not rest; where all rest, the one whose turn it was. */
function usableFrom({ keys, clock }: Ring, from: number): number {
  const now = clock()
  for (let step = 0; step < keys.length; step += 1) {
    const at = (from + step) % keys.length
    if (keys[at]!.restUntil <= now) return at
  }
  return from
}

function filled(ring: Ring, at: number, value: string, config: ProviderSettings): Key | UpstreamFailure {
  const key = ring.keys[at]!
  if (key.value === value) return key
  const header = ring.headerOf(value)
  try {
    validateHeaderValue(...header)
  } catch {
    return noKey(ring, 'gave one that no header can carry')
  }
  ring.learn(value)
  const isConfigured = Object.keys(config.headers ?? {}).some((name) => name.toLowerCase() === header[0])
  Object.assign(key, newKey(), { value, headers: isConfigured ? [] : header })
  settleRest(ring)
  return key
}

/** Nothing was sent. The cause reaches the log, never the caller. */
function noKey({ routeName }: Ring, how: string, cause?: unknown): UpstreamFailure {
  const error = new HooshError('provider_auth', {
    message: `The provider "${routeName}" has no key to send: the function that gives it ${how}.`,
    ...(cause === undefined ? {} : { cause }),
  })
  return { ok: false, error, retryable: true, mayBill: false, blameless: false }
}

function noteAnswer(ring: Ring, key: Key, status: number, waitMs: number | undefined): boolean {
  const isRefusal = status === 401 || status === 402 || status === 403
  if (!isRefusal && waitMs === undefined && key.refusals === 0 && status !== 429) return false
  const { keys } = ring
  const now = ring.clock()
  key.refusals = isRefusal ? key.refusals + 1 : 0
  if (key.refusals >= REFUSALS || (status === 401 && keys.length > 1)) rest(key, now + REFUSED_MS, 'refused')
  else if (waitMs !== undefined && !isRefusal) rest(key, now + waitMs, 'limited')
  settleRest(ring)
  if (!isRefusal && status !== 429) return false
  if (keys[ring.at] === key) ring.at = (ring.at + 1) % keys.length
  return keys.some((other) => other !== key && other.restUntil <= now)
}

function rest(key: Key, until: number, why: Rest['why']): void {
  key.restUntil = Math.max(key.restUntil, until)
  key.why = why
}

/** The route rests until the first of its keys can be used. */
function settleRest({ keys, rest }: Ring): void {
  const first = keys.reduce((a, b) => (b.restUntil < a.restUntil ? b : a))
  rest.until = first.restUntil
  rest.why = first.why
  rest.refusals = Math.min(...keys.map(({ refusals }) => refusals))
}
