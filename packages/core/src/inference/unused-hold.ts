import type { AuditRecord } from '../audit/store.js'
import { HooshError } from '../errors.js'
import { keepStaged } from './audit-staging.js'
import type { Engine } from './engine.js'
import { reportFound } from './expired.js'
import { keeps } from './joint-step.js'

/** How often a hold is looked for that the store does not know: its commit may be on its way still. */
const LOOKS = 2

/**
 * Gives back, in the background, a hold that may have been taken though whoever asked for it was told of a failure: the
 * store's answer was lost, or what belongs to the hold could not be kept. Nothing was begun on it, and nothing will be.
 *
 * After a refusal there is nothing to give back: what is held under this id, if anything, is somebody else's.
 *
 * @param intent what the store may have recorded with the hold; then it is recorded how that ended
 */
export function giveBackUnused(engine: Engine, id: string, failure: unknown, intent: AuditRecord | undefined): void {
  if (failure instanceof HooshError && failure.code !== 'store_unavailable') return
  const ended = intent !== undefined && keeps(engine, 'audit') ? endOf(engine, intent) : undefined
  let looks = 0
  engine.retries.add(id, async () => {
    try {
      const settlement = await engine.storage.budgets.release(id, ended && { audit: [ended] })
      await reportFound(engine, settlement)
      if (ended !== undefined && !settlement.repeated) await keepStaged(engine, ended)
      return true
    } catch (error) {
      if (!(error instanceof HooshError) || error.code !== 'not_held') throw error
      looks += 1
      return looks === LOOKS
    }
  })
}

function endOf(
  engine: Engine,
  { id: _id, timestamp: _at, event, metadata: _details, ...about }: AuditRecord,
): AuditRecord {
  return engine.audit!.record({
    ...about,
    event: event === 'inference.request' ? 'inference.error' : 'budget.released',
    level: 'warn',
    message: 'The answer of the storage was lost, so nothing was begun; the hold was given back.',
  })
}
