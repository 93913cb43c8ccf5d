import { ownerMark, RUN_PREFIX, runId, runName } from '../budget/run-name.js'
import { wirePoolTerms } from '../budget/spec.js'
import type { PoolAsk, PoolState } from '../budget/store.js'
import type { PoolTerms } from '../budget/terms.js'
import { HooshError, invalidField } from '../errors.js'
import type { Caller } from '../identity/caller.js'
import type { Awaitable } from '../time.js'
import { keepStaged } from './audit-staging.js'
import type { Engine } from './engine.js'
import { keptBy } from './joint-step.js'

/** Where a request says in which runs it is: their ids, several with commas between. */
export const RUN_HEADER = 'x-hoosh-run'

/** Runs that one user may have open. */
const MOST_OPEN = 100
/** Runs that one call may be in: an agent's, that of the one who called it, and so on. */
const MOST_NESTED = 8
const SHORTEST_MS = 1_000
const LONGEST_MS = 86_400_000
/** Pools that one sweep looks at. */
const STEP = 100

/** What this process knows of runs: those it has closed while something was held in them, and whether there may be any. */
export interface OpenRuns {
  readonly closing: Set<string>
  maybe: boolean
}

/** Who opens or closes a run, and in which request. */
interface Asker {
  readonly caller: Caller
  readonly requestId: string
}

/** A run that was opened, and its pool. */
export interface OpenedRun {
  readonly id: string
  /** On the gateway's clock. */
  readonly expiresAt: number
  readonly state: PoolState
}

/** At first nobody knows what others have left behind. */
export function openRuns(): OpenRuns {
  return { closing: new Set(), maybe: true }
}

/**
 * Opens a run: a pool of its own, for a time, that pays for calls beside all the pools of their caller.
 *
 * @param caps as of a pool; at least one of `tokens` and `usd`
 * @throws HooshError `invalid_request`, `unknown_run` (the caller is in one that is over), `too_many_runs`, `store_unavailable`
 */
export async function openRun(
  engine: Engine,
  { caller, requestId }: Asker,
  caps: { readonly tokens?: unknown; readonly usd?: unknown },
  ttlMs: number,
): Promise<OpenedRun> {
  const terms = termsOf(caps)
  if (!(Number.isSafeInteger(ttlMs) && ttlMs >= SHORTEST_MS && ttlMs <= LONGEST_MS)) {
    throw invalidField('ttlMs', `must be a whole number of milliseconds from ${SHORTEST_MS} to ${LONGEST_MS}.`)
  }
  const { user } = caller
  const { rates, budgets } = engine.storage
  const now = engine.clock()
  if (caller.runs !== null) await statesOf(engine, caller.runs)
  const expiresAt = now + ttlMs
  const id = runId(user, expiresAt, engine.ids())
  const name = RUN_PREFIX + id
  if ((await rates.enter(id, [{ key: placesOf(ownerMark(user)), limit: MOST_OPEN }], ttlMs, now)) !== null) {
    throw new HooshError('too_many_runs', {
      message: `${MOST_OPEN} of your runs are open, the most there may be; close some first.`,
      details: { retryable: false },
    })
  }
  engine.runs.maybe = true
  const { tokens = null, nanoUsd = null } = terms.capacity
  const record = engine.audit?.record({
    event: 'budget.run_opened',
    level: 'info',
    message: 'A run was opened.',
    subject: user,
    pool: name,
    requestId,
    metadata: { expires_at: expiresAt, nano_usd: nanoUsd, tokens },
  })
  await budgets.define(name, terms, record && keptBy(engine, { audit: [record] }))
  if (record !== undefined) await keepStaged(engine, record)
  engine.pools.noteOverride(name, terms)
  const [state] = await budgets.read([{ name, terms }], now)
  return { id, expiresAt, state: state! }
}

function termsOf({ tokens, usd }: { readonly tokens?: unknown; readonly usd?: unknown }): PoolTerms {
  if (tokens === undefined && usd === undefined) throw invalidField('tokens', 'is required, or `usd`, or both.')
  return wirePoolTerms({ ...(tokens !== undefined && { tokens }), ...(usd !== undefined && { usd }) })
}

/**
 * A run of the caller's own, as its pool stands.
 *
 * @throws HooshError `unknown_run`, alike for one that is over and one of somebody else
 */
export async function readRun(engine: Engine, caller: Caller, id: string): Promise<PoolState> {
  const [state] = await statesOf(engine, [ownRun(engine, caller, id)])
  return state!
}

async function statesOf(engine: Engine, runs: readonly string[]): Promise<PoolState[]> {
  const asks = runs.map((name) => ({ name, terms: null }))
  try {
    return await engine.storage.budgets.read(asks, engine.clock())
  } catch (thrown) {
    throw asUnknownRun(engine, runs, thrown)
  }
}

/**
 * Closes a run of the caller's own: nothing new is begun in it, and calls that run end as they would have. Its pool is
 * gone once they have; what they came to stays among the entries.
 *
 * @returns its pool, as it stood
 * @throws HooshError `unknown_run` as `readRun`
 */
export async function closeRun(engine: Engine, { caller, requestId }: Asker, id: string): Promise<PoolState> {
  const state = await readRun(engine, caller, id)
  const { audit } = engine
  if (audit !== null) {
    const record = audit.record({
      event: 'budget.run_closed',
      level: 'info',
      message: 'A run was closed.',
      subject: caller.user,
      pool: state.name,
      requestId,
      metadata: { used_nano_usd: state.used.nanoUsd, used_tokens: state.used.tokens },
    })
    await audit.stage(record)
  }
  await forget(engine, state.name)
  return state
}

/**
 * The caller as he calls in some runs of his own: their pools pay beside his.
 *
 * @param header their ids, with commas between; undefined for none
 * @throws HooshError `unknown_run`: one is over, or was never his
 */
export function callerIn(engine: Engine, caller: Caller, header: string | undefined): Caller {
  if (header === undefined) return caller
  const ids = header.split(',')
  if (ids.length > MOST_NESTED) throw invalidField(RUN_HEADER, `must name at most ${MOST_NESTED} runs.`)
  const runs = [...new Set(ids.map((id) => ownRun(engine, caller, id.trim())))]
  return { ...caller, pools: [...caller.pools, ...runs], runs }
}

function ownRun(engine: Engine, { user }: Caller, id: string): string {
  const name = RUN_PREFIX + id
  const said = runName(name)
  if (said === null || said.owner !== ownerMark(user) || said.expiresAt <= engine.clock()) throw unknownRun()
  return name
}

/** How the pools of a caller are asked for: the terms of runs are no template's, but what was said when they were opened. */
export function asksOf(engine: Engine, caller: Caller, pools = caller.pools): Awaitable<PoolAsk[]> {
  const { runs, identity } = caller
  return runs === null ? engine.pools.asksFor(pools, identity) : asksInRuns(engine, caller, runs, pools)
}

async function asksInRuns(
  engine: Engine,
  caller: Caller,
  runs: readonly string[],
  pools: readonly string[],
): Promise<PoolAsk[]> {
  const others = pools.filter((name) => !runs.includes(name))
  const asks = await engine.pools.asksFor(others, caller.identity)
  for (const name of runs) {
    const ask = { name, terms: null }
    // Opened in another process: whether a price must be known is decided by its terms.
    if (engine.pools.effective(ask) === null) {
      const [state] = await engine.storage.budgets.read([ask], engine.clock())
      engine.pools.noteOverride(name, state!.terms)
    }
    asks.push(ask)
  }
  return asks
}

/** What a caller in some runs is told of an error: that the store does not know a run's pool means that the run is over. */
export function asUnknownRun(engine: Engine, runs: readonly string[] | null, thrown: unknown): unknown {
  if (!(thrown instanceof HooshError) || thrown.code !== 'unknown_pool') return thrown
  const { pool } = thrown.details
  if (pool === undefined || runs?.includes(pool) !== true) return thrown
  engine.pools.noteOverride(pool, null)
  return unknownRun()
}

/** Takes runs off the books that are over, or were closed and have ended since: one bounded step of any process. */
export async function sweepRuns(engine: Engine): Promise<void> {
  const { runs, storage, pools } = engine
  const isRun = (name: string) => name.startsWith(RUN_PREFIX)
  if (!runs.maybe && !pools.isAnyOverridden(isRun)) return
  const now = engine.clock()
  const found = (await storage.budgets.list({ after: RUN_PREFIX, limit: STEP, now })).map(({ name }) => name)
  const over = found.filter((name) => (runName(name)?.expiresAt ?? Infinity) <= now)
  runs.maybe = found.some(isRun)
  for (const name of new Set([...over, ...[...runs.closing].slice(0, STEP)])) await forget(engine, name)
}

async function forget(engine: Engine, name: string): Promise<void> {
  const { runs, storage, pools } = engine
  const isGone = await storage.budgets.forget(name)
  pools.noteOverride(name, null)
  if (!isGone) {
    runs.closing.add(name)
    return
  }
  runs.closing.delete(name)
  const { owner } = runName(name)!
  await storage.rates.leave({ id: name.slice(RUN_PREFIX.length), keys: [placesOf(owner)] })
}

/** Who has how many runs open is counted where calls at the same time are. */
function placesOf(owner: string): string {
  return `runs of ${owner}`
}

function unknownRun(): HooshError {
  return new HooshError('unknown_run', {
    message: 'You have no open run of this id: it is over, or never was.',
    details: { param: RUN_HEADER, retryable: false },
  })
}
