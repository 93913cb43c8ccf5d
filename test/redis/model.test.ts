import type { BudgetStore } from '@hoosh/core/storage'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { onOneLedger, SEQUENCES, SEQUENCES_MS } from '../core/budget/model-runs.js'
import { CLIENT_KINDS, redisLedger, redisMissing } from '../support/redis.js'

const missing = await redisMissing()

describe.skipIf(missing !== null)(`on Redis ${missing ?? ''}`, () => {
  const clock = { now: 0 }
  const ledger = redisLedger({ clock: () => clock.now })
  const handles: BudgetStore[] = []
  beforeAll(async () => {
    for (const kind of CLIENT_KINDS) handles.push((await ledger.open(kind)).budgets)
  })
  afterAll(() => ledger.remove())

  it(
    'any interleaving of operations leaves what the definition of a ledger says, through both clients',
    {
      timeout: SEQUENCES_MS,
    },
    () => fc.assert(onOneLedger(handles, clock), SEQUENCES),
  )
})
