import { HooshError, invalidField } from '../errors.js'
import type { KeyOptions, Limits } from '../options.js'
import type { Random } from '../random.js'
import type { Clock } from '../time.js'
import type { Caller } from './caller.js'
import { boundsOf, delegated } from './delegate.js'
import { isRange } from './ip-ranges.js'
import { stateOfKey } from './issued.js'
import { keyText, newSecret } from './key-text.js'
import type { KeyRecord, KeyStore } from './store.js'

/** What issuing keys takes. */
export interface KeyDesk {
  readonly keys: KeyStore
  readonly clock: Clock
  readonly ids: () => string
  readonly random: Random
  readonly rules: Omit<KeyOptions, 'tokenSecrets'>
}

/** What a key is asked for. Times are in ms since the epoch. */
export interface KeyAsk {
  readonly user?: string | undefined
  readonly name?: string | undefined
  readonly pools?: readonly string[] | undefined
  readonly models?: readonly string[] | undefined
  readonly limits?: Limits | undefined
  readonly ipRanges?: readonly string[] | undefined
  readonly expiresAt?: number | undefined
}

/** A key, and the text that opens it: shown now and never again. */
export interface FreshKey {
  readonly record: KeyRecord
  readonly text: string
}

const MOST_KEYS = 100
/** How often a change is tried again that another one has overtaken. */
const TRIES = 5

/**
 * Makes a key: an admin for anybody, a user for themselves and for no more than they may do.
 *
 * @throws HooshError `forbidden`, `pool_not_allowed`, `model_not_allowed`, `invalid_request`, `too_many_keys`,
 *   `store_unavailable`
 */
export async function createKey(desk: KeyDesk, by: Caller, ask: KeyAsk): Promise<FreshKey> {
  const now = desk.clock()
  const { user = by.user, name = '', limits, ipRanges } = ask
  const isOwn = user === by.user
  if (!by.admin && !isOwn) {
    throw new HooshError('forbidden', { message: 'Only an admin makes keys for others.', details: { param: 'user' } })
  }
  if (!isOwn && ask.pools === undefined) throw invalidField('pools', 'is required for the key of another user.')
  for (const range of ipRanges ?? []) {
    if (!isRange(range)) throw invalidField('ip_ranges', `must hold addresses and networks; "${range}" is neither.`)
  }
  const { pools, models } = by.admin
    ? { pools: ask.pools ?? by.pools, models: ask.models ?? (isOwn ? by.identity.models : undefined) }
    : delegated(by, { ...(ask.pools && { pools: ask.pools }), ...(ask.models && { models: ask.models }) })
  await makeRoom(desk, user, now)
  const id = desk.ids()
  const { secret, hash } = newSecret(desk.random)
  const own = by.identity.limits
  const record: KeyRecord = {
    id,
    version: 1,
    user,
    name,
    createdBy: by.user,
    createdAt: now,
    secrets: [{ hash, until: null }],
    expiresAt: expiryOf(desk, by, ask, now),
    revokedAt: null,
    pools,
    ...(models !== undefined && { models }),
    ...(limits !== undefined && { limits }),
    ...(ipRanges !== undefined && { ipRanges }),
    ...(isOwn && own !== undefined && { userLimits: own }),
    ...(isOwn && boundsOf(by.identity)),
  }
  await desk.keys.add(record)
  return { record, text: keyText(id, secret) }
}

/**
 * Gives a key another secret. The one before opens it for `overlapMs` more, so that its holder can change over.
 *
 * @throws HooshError `not_found` (no such key, or somebody else's), `invalid_request` (it has ended)
 */
export async function rotateKey(desk: KeyDesk, by: Caller, id: string, overlapMs: number): Promise<FreshKey> {
  const { secret, hash } = newSecret(desk.random)
  const record = await changed(desk, by, id, (key, now) => {
    const state = stateOfKey(key, now)
    if (state !== 'active') throw invalidField('id', `names a key that is ${state}; make a new one.`)
    const before = overlapMs === 0 ? [] : [{ hash: key.secrets[0]!.hash, until: now + overlapMs }]
    return { ...key, secrets: [{ hash, until: null }, ...before] }
  })
  return { record, text: keyText(id, secret) }
}

/**
 * Ends a key, at once and for good; one that has been revoked before stays as it is.
 *
 * @throws HooshError `not_found` (no such key, or somebody else's)
 */
export function revokeKey(desk: KeyDesk, by: Caller, id: string): Promise<KeyRecord> {
  return changed(desk, by, id, (key, now) => (key.revokedAt === null ? { ...key, revokedAt: now } : null))
}

/**
 * A key that the caller may see.
 *
 * @throws HooshError `not_found`, alike for one that is not there and one of somebody else
 */
export async function keyOf({ keys }: KeyDesk, by: Caller, id: string): Promise<KeyRecord> {
  const key = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? await keys.get(id) : null
  if (key !== null && (by.admin || key.user === by.user)) return key
  throw new HooshError('not_found', { message: 'There is no such key.' })
}

/** @param change null where nothing is to change */
async function changed(
  desk: KeyDesk,
  by: Caller,
  id: string,
  change: (key: KeyRecord, now: number) => KeyRecord | null,
): Promise<KeyRecord> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const key = await keyOf(desk, by, id)
    const next = change(key, desk.clock())
    if (next === null) return key
    const record = { ...next, version: key.version + 1 }
    if (await desk.keys.replace(record)) return record
  }
  throw new HooshError('store_unavailable', { message: 'The key was changed by others at the same time; try again.' })
}

function expiryOf({ rules }: KeyDesk, by: Caller, { expiresAt }: KeyAsk, now: number): number | null {
  const { longestMs } = rules
  const latest = by.admin || longestMs === undefined ? null : now + longestMs
  if (expiresAt === undefined) return latest
  if (expiresAt <= now) throw invalidField('expires_at', 'must be in the future.')
  if (latest !== null && expiresAt > latest) {
    throw invalidField('expires_at', `must be no later than ${new Date(latest).toISOString()}.`)
  }
  return expiresAt
}

/** The oldest key that has ended makes room for a new one. Two at once may pass the bound by one: it is no promise. */
async function makeRoom({ keys, rules: { perUser = MOST_KEYS } }: KeyDesk, user: string, now: number): Promise<void> {
  const known = await keys.list({ user, limit: perUser })
  if (known.length < perUser) return
  const ended = known.findLast((key) => stateOfKey(key, now) !== 'active')
  if (ended !== undefined) return keys.remove(ended.id)
  throw new HooshError('too_many_keys', {
    message: `This user has ${perUser} keys, the most there may be; revoke some first.`,
    details: { retryable: false },
  })
}
