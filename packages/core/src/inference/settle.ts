import type { AuditRecord } from '../audit/store.js'
import { tightestLeft } from '../budget/pool-book.js'
import { snapshotOf } from '../budget/snapshot.js'
import type { CallRecords, PoolState, Settlement } from '../budget/store.js'
import type { UsageRecord } from '../cost/store.js'
import { completionTokens, promptTokens, totalTokens } from '../cost/usage.js'
import type { HooshError } from '../errors.js'
import type { CallResult } from '../options.js'
import type { Candidate } from '../routing/route.js'
import type { Admitted } from './admit.js'
import { type Call, type CallHold, infoOf } from './call.js'
import type { Charge } from './charge.js'
import type { Engine } from './engine.js'

/** How a call ended. */
export interface Ending {
  readonly outcome: CallResult['outcome']
  /** Who answered, or was tried last. */
  readonly candidate: Candidate
  readonly charge: Charge
  readonly error?: HooshError
}

/** What the caller is told of the bill. */
export interface Settled {
  readonly charge: Charge
  /** What the tightest pool has left by unit; null where the store did not say in time. */
  readonly left: { tokens?: number; nanoUsd?: number } | null
}

const MINUTE_MS = 60_000
const WARNING_THRESHOLDS = [80, 95] as const

/**
 * Step 8, the one way a call ends: the ledger, usage, the outcome's audit record, metrics, events, hooks. Never throws;
 * what the store cannot take now is repeated in the background with the same id.
 */
export async function settle(
  engine: Engine,
  call: Call,
  held: CallHold,
  admitted: Admitted,
  ending: Ending,
): Promise<Settled> {
  const { charge } = ending
  const records = recordsOf(engine, call, held, ending)
  const book = async () => {
    const { pools, overrun } = await write(engine, held, charge, records)
    warn(engine, pools, charge)
    if (overrun.tokens > 0 || overrun.nanoUsd > 0)
      engine.events.emit({ type: 'budget.overrun', requestId: call.requestId, ...overrun })
    return tightestLeft(pools)
  }
  let left: Settled['left'] = null
  try {
    left = await book()
  } catch (error) {
    engine.logger.error(
      { requestId: call.requestId, reservation: held.id, err: error },
      'settle failed; it is repeated',
    )
    engine.metrics.settleRetried()
    engine.retries.add(held.id, async () => void (await book()))
  }
  for (const key of admitted.tokenWindows) {
    if (charge.amount.tokens > 0) await engine.storage.rates.add(key, charge.amount.tokens, MINUTE_MS, engine.clock())
  }
  await tell(engine, call, ending)
  return { charge, left }
}

async function write(engine: Engine, held: CallHold, charge: Charge, records: CallRecords): Promise<Settlement> {
  const { budgets, usage } = engine.storage
  const isFree = charge.amount.tokens === 0 && charge.amount.nanoUsd === 0
  const settlement = await (isFree
    ? budgets.release(held.id, records)
    : budgets.settle(held.id, charge.amount, records))
  if (records.usage !== undefined && budgets.persists?.includes('usage') !== true) await usage.record([records.usage])
  if (records.audit !== undefined && engine.audit !== null) {
    const persisted = budgets.persists?.includes('audit') === true
    for (const record of records.audit) await (persisted ? engine.audit.staged(record) : engine.audit.stage(record))
  }
  return settlement
}

function recordsOf(engine: Engine, call: Call, held: CallHold, ending: Ending): CallRecords {
  const { charge } = ending
  const isFree = charge.amount.tokens === 0 && charge.amount.nanoUsd === 0
  return {
    ...(isFree && ending.outcome !== 'ok' ? {} : { usage: usageRecord(engine, call, held, ending) }),
    ...(engine.audit === null ? {} : { audit: outcomeRecords(engine, call, held, ending) }),
  }
}

/** What failed attempts may have been billed stands as prompt, so that records add up to what the pools have used. */
function usageRecord(engine: Engine, call: Call, held: CallHold, { candidate, charge, outcome }: Ending): UsageRecord {
  const now = engine.clock()
  return {
    id: call.id,
    requestId: call.requestId,
    at: now,
    user: call.caller.user,
    pool: call.pools[0]!,
    pools: call.pools,
    provider: candidate.route.type,
    route: candidate.route.name,
    local: candidate.route.local,
    model: candidate.model,
    kind: call.kind,
    stream: call.stream,
    usage: { ...charge.usage, input: charge.usage.input + charge.amount.tokens - totalTokens(charge.usage) },
    source: charge.source,
    nanoUsd: charge.amount.nanoUsd,
    price: held.quote.source,
    outcome,
    latencyMs: now - call.startedAt,
  }
}

function outcomeRecords(engine: Engine, call: Call, held: CallHold, ending: Ending): AuditRecord[] {
  const { candidate, charge, outcome, error } = ending
  const audit = engine.audit!
  const about = {
    provider: candidate.route.type,
    model: candidate.model,
    subject: call.caller.user,
    pool: call.pools[0]!,
    reservation: call.id,
    requestId: call.requestId,
  }
  const prompt = promptTokens(charge.usage)
  const completion = completionTokens(charge.usage)
  const records = [
    audit.record({
      ...about,
      event: outcome === 'ok' || outcome === 'cutoff' ? 'inference.response' : 'inference.error',
      level: outcome === 'ok' || outcome === 'cutoff' ? 'info' : 'error',
      message: error === undefined ? `The call ended: ${outcome}.` : error.message,
      metadata: {
        outcome,
        route: candidate.route.name,
        prompt_tokens: prompt,
        completion_tokens: completion,
        total_tokens: prompt + completion,
        charged_tokens: charge.amount.tokens,
        charged_nano_usd: charge.amount.nanoUsd,
        usage: charge.source,
        attempts: held.attempts,
        ...(error === undefined ? {} : { code: error.code }),
      },
    }),
  ]
  if (outcome === 'cutoff') {
    records.push(
      audit.record({
        ...about,
        event: 'budget.cutoff',
        level: 'warn',
        message: 'The pools could not pay for more of this answer.',
      }),
    )
  }
  if (charge.claimed !== undefined) {
    const metadata = { claimed_tokens: charge.claimed, charged_tokens: charge.amount.tokens }
    records.push(
      audit.record({
        ...about,
        event: 'usage.implausible',
        level: 'warn',
        message: 'The provider claimed more tokens than can be true.',
        metadata,
      }),
    )
  }
  return records
}

async function tell(engine: Engine, call: Call, { candidate, charge, outcome, error }: Ending): Promise<void> {
  const { requestId } = call
  const { type: provider, name: route } = candidate.route
  const latencyMs = engine.clock() - call.startedAt
  const { tokens, nanoUsd } = charge.amount
  engine.metrics.callEnded({
    provider,
    model: candidate.model,
    outcome,
    latencyMs,
    promptTokens: promptTokens(charge.usage),
    completionTokens: completionTokens(charge.usage),
    nanoUsd,
  })
  if (outcome === 'error') {
    engine.events.emit({
      type: 'inference.failed',
      requestId,
      provider,
      route,
      model: candidate.model,
      code: error?.code ?? 'internal_error',
    })
  } else {
    engine.events.emit({
      type: 'inference.completed',
      requestId,
      provider,
      route,
      model: candidate.model,
      tokens,
      nanoUsd,
      latencyMs,
    })
  }
  if (outcome === 'cutoff') engine.events.emit({ type: 'budget.cutoff', requestId, pool: call.pools[0]! })
  if (charge.claimed !== undefined) {
    engine.events.emit({ type: 'usage.implausible', requestId, claimedTokens: charge.claimed, chargedTokens: tokens })
  }
  const { hooks } = engine.settings
  if (hooks === undefined) return
  try {
    if (error !== undefined) await hooks.onError?.(infoOf(call), error)
    await hooks.afterCall?.(infoOf(call), { provider, route, tokens, nanoUsd, outcome })
  } catch (thrown) {
    engine.logger.error({ requestId, err: thrown }, 'a hook of the host threw')
  }
}

function warn(engine: Engine, pools: readonly PoolState[], { amount }: Charge): void {
  for (const pool of pools) {
    for (const unit of ['tokens', 'nanoUsd'] as const) {
      const cap = pool.terms.capacity[unit]
      if (cap === undefined || cap === 0) continue
      const before = ((pool.used[unit] - amount[unit]) / cap) * 100
      const now = (pool.used[unit] / cap) * 100
      const crossed = WARNING_THRESHOLDS.filter((threshold) => before < threshold && now >= threshold).pop()
      if (crossed !== undefined)
        engine.events.emit({ type: 'budget.warning', threshold: crossed, pool: snapshotOf(pool) })
    }
  }
}
