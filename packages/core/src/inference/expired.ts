import { lostEvent } from '../budget/lost.js'
import type { ExpiredReservation, Settlement } from '../budget/store.js'
import type { Engine } from './engine.js'

/** Tells of holds that outlived their lease; records what was lost where the store did not do so itself. */
export async function reportExpired(engine: Engine, expired: readonly ExpiredReservation[]): Promise<void> {
  const { persists } = engine.storage.budgets
  for (const { id, owner, pools, charged, phase, usage } of expired) {
    engine.events.emit({ type: 'budget.expired', reservation: id, owner, ...charged })
    if (usage !== undefined && persists?.includes('usage') !== true) await engine.storage.usage.record([usage])
    if (engine.audit === null || persists?.includes('audit') === true) continue
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
export async function reportFound({ storage }: Engine, { reversal }: Settlement): Promise<void> {
  if (reversal !== undefined && storage.budgets.persists?.includes('usage') !== true)
    await storage.usage.record([reversal])
}
