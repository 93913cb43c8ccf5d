import type { BudgetStore } from '../../budget/store.js'
import type { CacheStore } from '../../cache/store.js'
import { HooshError, shuttingDown } from '../../errors.js'
import type { Clock } from '../../time.js'
import { idempotencyMismatch, idempotencyUnknown } from './errors.js'
import type { Flight, Landed } from './flight.js'
import { holderKey, recordKey, reservationId, wantedKey } from './names.js'
import { decodeRecord, encodeRecord, type KeyedRecord } from './record.js'

/** How long a key stands for what it was first used for, ms. */
export const KEPT_MS = 24 * 3_600_000
/** How long somebody who waits in another process is counted without a word, ms. */
export const WANTED_MS = 10_000
/** The first wait before the cache is asked again, ms; it doubles up to a second. */
export const FIRST_LOOK_MS = 50
export const LONGEST_LOOK_MS = 1_000
/** Failures after which a key's calls are no longer told apart in the ledger. */
const MOST_TURNS = 16

/** What looking after keys takes. */
export interface KeyedParts {
  readonly cache: CacheStore
  readonly budgets: BudgetStore
  readonly clock: Clock
  readonly ids: () => string
  /** How long a process counts as alive without a word, ms. */
  readonly leaseMs: number
  /** Resolves after so many ms, or when the gateway closes; false then. */
  sleep(ms: number): Promise<boolean>
}

/**
 * Whose call it is: ours, or what another one has come to, which is waited for.
 *
 * @returns null where the key is ours
 * @throws HooshError `idempotency_mismatch`, `idempotency_unknown`, or what the other call failed with
 */
export async function claimOrWait(parts: KeyedParts, flight: Flight): Promise<Landed | null> {
  const key = recordKey(flight.scope)
  let standing = await claim(parts, flight)
  let missed = 0
  for (let wait = FIRST_LOOK_MS; standing !== null; wait = Math.min(2 * wait, LONGEST_LOOK_MS)) {
    const known = decodeRecord(standing)
    if (known === null) throw idempotencyUnknown()
    const { record, body } = known
    if (record.print !== flight.print) throw idempotencyMismatch()
    flight.verify(true)
    if (record.state !== 'running') return outcomeOf(record, body)
    // Its process is alive as long as it says so; once is not enough, since the two entries are written side by side.
    missed = (await parts.cache.get(holderKey(flight.scope, record.holder))) === null ? missed + 1 : 0
    if (missed > 1) throw idempotencyUnknown()
    await parts.cache.put(wantedKey(flight.scope), new Uint8Array(), WANTED_MS)
    if (!(await parts.sleep(wait))) throw shuttingDown()
    if (flight.cut.aborted) throw new HooshError('client_closed')
    standing = await parts.cache.get(key)
    // It has failed at no cost: whoever is first makes the call anew.
    if (standing === null) standing = await claim(parts, flight)
  }
  flight.verify(true)
  return null
}

/** What stands under the key; null where it is ours now. */
async function claim({ cache, leaseMs }: KeyedParts, { scope, print, holder }: Flight): Promise<Uint8Array | null> {
  const mine = encodeRecord({ state: 'running', print, holder })
  const alive = holderKey(scope, holder)
  const [standing] = await Promise.all([
    cache.putIfAbsent(recordKey(scope), mine, KEPT_MS),
    cache.put(alive, new Uint8Array(), leaseMs),
  ])
  if (standing !== null) await cache.delete(alive)
  return standing
}

/** Takes the key off again, where it is still ours. */
export async function giveUp({ cache }: Pick<KeyedParts, 'cache'>, { scope, holder }: Flight): Promise<void> {
  const key = recordKey(scope)
  const standing = await cache.get(key)
  const record = standing === null ? undefined : decodeRecord(standing)?.record
  if (record?.state === 'running' && record.holder === holder) await cache.delete(key)
}

function outcomeOf(record: Exclude<KeyedRecord, { state: 'running' }>, body: Uint8Array): Landed {
  if (record.state === 'failed') {
    throw new HooshError(record.code, { message: record.message, details: record.details })
  }
  if (record.state === 'lost') throw idempotencyUnknown()
  const { call, status, headers } = record
  return { call, status, headers, body, isOld: true }
}

/**
 * The id of the call's reservation: the same in every process, so that the ledger knows a call that the cache has
 * forgotten. A key whose call failed at no cost, or is a day old, has a next one.
 *
 * @throws HooshError `idempotency_unknown` where the ledger has a call of this key that was or will be charged
 */
export async function idFor({ budgets, clock, ids, leaseMs }: KeyedParts, scope: string): Promise<string> {
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    const id = reservationId(scope, turn)
    const known = await budgets.find({ id })
    if (known === null) return id
    const heardOf = known.leaseUntil - leaseMs
    if (known.state !== 'released' && heardOf + KEPT_MS > clock()) throw idempotencyUnknown()
  }
  return ids()
}
