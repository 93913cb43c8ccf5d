import { lostEvent } from '../budget/lost.js'
import type { ExpiredReservation, Settlement } from '../budget/store.js'
import type { Engine } from './engine.js'
import { keeps } from './joint-step.js'
import { tellOfExpired } from './pool-events.js'

/** Tells of holds that outlived their lease; records what was lost where the store did not do so itself. */
export async function reportExpired(engine: Engine, expired: readonly ExpiredReservation[]): Promise<void> {
  tellOfExpired(engine.events, expired)
  const isKept = { usage: keeps(engine, 'usage'), audit: keeps(engine, 'audit') }
  for (const { id, owner, pools, charged, phase, usage } of expired) {
    engine.events.emit({ type: 'budget.expired', reservation: id, owner, ...charged })
    if (usage !== undefined && !isKept.usage) await engine.storage.usage.record([usage])
    if (engine.audit === null || isKept.audit) continue
    await engine.audit.stage(
      engine.audit.record({
        ...lostEvent(phase),
        level: 'warn',
        ...(usage === undefined ? {} : { provider: usage.provider, model: usage.model, requestId: usage.requestId }),
        subject: owner,
        ...(pools[0] === undefined ? {} : { pool: pools[0] }),
        reservation: id,
        metadata: { charged_tokens: charged.tokens, charged_nano_usd: charged.nanoUsd },
      }),
    )
  }
}

/** Takes the usage of a lost call back, where it was settled after all and the store did not do so itself. */
export async function reportFound(engine: Engine, { reversal }: Settlement): Promise<void> {
  if (reversal !== undefined && !keeps(engine, 'usage')) await engine.storage.usage.record([reversal])
}
