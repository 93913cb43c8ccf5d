import type { AuditLog } from '../audit/log.js'
import type { PreparedPayload } from '../audit/payload-vault.js'
import type { AuditDetails, AuditRecord } from '../audit/store.js'
import { tightestLeft } from '../budget/pool-book.js'
import type { CallRecords, Settlement } from '../budget/store.js'
import type { UsageRecord } from '../cost/store.js'
import { completionTokens, promptTokens, totalTokens } from '../cost/usage.js'
import type { HooshError } from '../errors.js'
import type { CallResult } from '../options.js'
import type { Candidate } from '../routing/route.js'
import type { Awaitable } from '../time.js'
import type { Admitted } from './admit.js'
import { keepStaged } from './audit-staging.js'
import type { Call, CallHold } from './call.js'
import type { Charge } from './charge.js'
import type { Engine } from './engine.js'
import { reportFound } from './expired.js'
import { tellHook } from './hooks.js'
import { keeps, keptBy } from './joint-step.js'
import { keepAnswer } from './payloads.js'
import { tellOfPools } from './pool-events.js'
import { mendRoutes } from './route-limits.js'

/** How a call ended. */
export interface Ending {
  readonly outcome: CallResult['outcome']
  /** Who answered, or was tried last. */
  readonly candidate: Candidate
  readonly charge: Charge
  readonly error?: HooshError
  /** Names of what was redacted in the answer, where something was. */
  readonly redacted?: readonly string[]
  /** What the caller was answered, where that is kept. */
  readonly payload?: PreparedPayload | undefined
}

/** What the caller is told of the bill. */
export interface Settled {
  readonly charge: Charge
  /** What the tightest pool has left by unit; null where the store did not say in time. */
  readonly left: { tokens?: number; nanoUsd?: number } | null
}

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
  const outcome = records.audit?.[0]
  if (ending.payload !== undefined && outcome !== undefined) await keepAnswer(engine, outcome, ending.payload)
  const told = (settlement: Settlement) => {
    tellOfPools(engine, call.requestId, settlement, charge.amount)
    return tightestLeft(settlement.pools)
  }
  const book = (): Awaitable<Settled['left']> => {
    const writing = write(engine, held, charge, records)
    return writing instanceof Promise ? writing.then(told) : told(writing)
  }
  let left: Settled['left'] = null
  try {
    const booking = book()
    left = booking instanceof Promise ? await booking : booking
  } catch (error) {
    engine.logger.error(
      { requestId: call.requestId, reservation: held.id, err: error },
      'settle failed; it is repeated',
    )
    engine.metrics.settleRetried()
    engine.retries.add(held.id, async () => {
      await book()
      return true
    })
  }
  if (admitted.entered !== null) await engine.limits.leave(admitted.entered, charge.amount.tokens)
  if (held.windows !== undefined) await mendRoutes(engine, held.windows, ending.candidate, charge.amount.tokens)
  tell(engine, call, held, ending)
  if (engine.settings.hooks !== undefined) await tellHooks(engine, call, ending)
  return { charge, left }
}

function write(engine: Engine, held: CallHold, charge: Charge, records: CallRecords): Awaitable<Settlement> {
  const { budgets } = engine.storage
  const joint = keptBy(engine, records)
  const ended = isFree(charge) ? budgets.release(held.id, joint) : budgets.settle(held.id, charge.amount, joint)
  const kept = (settlement: Settlement) => {
    const keeping = keepBeside(engine, records, settlement)
    return keeping === undefined ? settlement : keeping.then(() => settlement)
  }
  return ended instanceof Promise ? ended.then(kept) : kept(ended)
}

/** Keeps what the budget store has not kept in its own step; no promise where every store answers at once. */
function keepBeside(engine: Engine, { usage, audit }: CallRecords, settlement: Settlement): Promise<void> | undefined {
  let last: Promise<void> | undefined
  const inOrder = (step: () => Awaitable<void>) => {
    if (last === undefined) last = step() ?? undefined
    else last = last.then(step)
  }
  if (settlement.reversal !== undefined) inOrder(() => reportFound(engine, settlement))
  if (usage !== undefined && !keeps(engine, 'usage')) inOrder(() => engine.storage.usage.record([usage]))
  if (audit === undefined || engine.audit === null) return last
  for (const record of audit) inOrder(() => keepStaged(engine, record))
  return last
}

function isFree({ amount }: Charge): boolean {
  return amount.tokens === 0 && amount.nanoUsd === 0
}

function recordsOf(engine: Engine, call: Call, held: CallHold, ending: Ending): CallRecords {
  const records: { usage?: UsageRecord; audit?: AuditRecord[] } = {}
  if (!isFree(ending.charge) || ending.outcome === 'ok') records.usage = usageRecord(engine, call, held, ending)
  if (engine.audit !== null) records.audit = outcomeRecords(engine.audit, call, held, ending)
  return records
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

/** Metadata stands in the order of its keys, as the log writes it. */
function outcomeRecords(audit: AuditLog, call: Call, held: CallHold, ending: Ending): AuditRecord[] {
  const { candidate, charge, outcome, error } = ending
  const isAnswered = outcome === 'ok' || outcome === 'cutoff'
  const about = (
    event: string,
    level: AuditRecord['level'],
    message: string,
    metadata: AuditDetails,
    pool = call.pools[0]!,
  ) =>
    audit.own({
      event,
      level,
      message,
      provider: candidate.route.type,
      model: candidate.model,
      subject: call.caller.user,
      pool,
      reservation: call.id,
      requestId: call.requestId,
      metadata,
    })
  const prompt = promptTokens(charge.usage)
  const completion = completionTokens(charge.usage)
  const figures = {
    attempts: held.attempts,
    charged_nano_usd: charge.amount.nanoUsd,
    charged_tokens: charge.amount.tokens,
    completion_tokens: completion,
    outcome,
    prompt_tokens: prompt,
    route: candidate.route.name,
    total_tokens: prompt + completion,
    usage: charge.source,
  }
  const records = [
    about(
      isAnswered ? 'inference.response' : 'inference.error',
      isAnswered ? 'info' : 'error',
      error === undefined ? `The call ended: ${outcome}.` : recordedMessage(error),
      detailsOf(figures, ending),
    ),
  ]
  if (outcome === 'cutoff')
    records.push(
      about(
        'budget.cutoff',
        'warn',
        'The pools could not pay for more of this answer.',
        { completion_tokens: completion },
        held.emptied,
      ),
    )
  if (charge.claimed !== undefined) {
    const claim = { charged_tokens: charge.amount.tokens, claimed_tokens: charge.claimed }
    records.push(about('usage.implausible', 'warn', 'The provider claimed more tokens than can be true.', claim))
  }
  return records
}

/** What went wrong, as the audit log may keep it. */
export function recordedMessage({ message, details }: HooshError): string {
  return details.recorded ?? message
}

function detailsOf(figures: AuditDetails, { error, redacted, payload }: Ending): AuditDetails {
  if (error === undefined && redacted === undefined && payload === undefined) return figures
  return {
    ...figures,
    ...(error !== undefined && { code: error.code }),
    ...(redacted !== undefined && { dlp_redacted: redacted }),
    ...payload?.details,
  }
}

function tell(engine: Engine, call: Call, held: CallHold, ending: Ending): void {
  const { candidate, charge, outcome, error } = ending
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
  if (outcome === 'cutoff')
    engine.events.emit({ type: 'budget.cutoff', requestId, pool: held.emptied ?? call.pools[0]! })
  if (charge.claimed !== undefined) {
    engine.events.emit({ type: 'usage.implausible', requestId, claimedTokens: charge.claimed, chargedTokens: tokens })
  }
}

async function tellHooks(engine: Engine, call: Call, { candidate, charge, outcome, error }: Ending): Promise<void> {
  const { type: provider, name: route } = candidate.route
  const { tokens, nanoUsd } = charge.amount
  if (error !== undefined) await tellHook(engine, call, 'onError', (hooks, info) => hooks.onError?.(info, error))
  const result = { provider, route, tokens, nanoUsd, outcome }
  await tellHook(engine, call, 'afterCall', (hooks, info) => hooks.afterCall?.(info, result))
}
