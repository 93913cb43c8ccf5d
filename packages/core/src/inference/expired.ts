import type { ExpiredReservation } from '../budget/store.js'
import type { Engine } from './engine.js'

/** Tells of holds that outlived their lease; records what was lost where the store did not do so itself. */
export async function reportExpired(engine: Engine, expired: readonly ExpiredReservation[]): Promise<void> {
  const persisted = engine.storage.budgets.persists?.includes('audit') === true
  for (const { id, owner, pools, charged, phase } of expired) {
    engine.events.emit({ type: 'budget.expired', reservation: id, owner, ...charged })
    if (engine.audit === null || persisted || phase !== 'sent') continue
    await engine.audit.stage(
      engine.audit.record({
        event: 'inference.lost',
        level: 'warn',
        message: 'A call ended without an outcome; its hold was charged.',
        subject: owner,
        ...(pools[0] === undefined ? {} : { pool: pools[0] }),
        reservation: id,
        metadata: { charged_tokens: charged.tokens, charged_nano_usd: charged.nanoUsd },
      }),
    )
  }
}
