import type { ReserveRequest } from '@hoosh/core/storage'
import { sqlStorage } from '@hoosh/sql'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasPostgres, PATIENT_MS, postgresSchema } from '../support/postgres.js'

const none = { tokens: 0, nanoUsd: 0 }
const terms = { capacity: {}, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const

function request(pool: string, more: Partial<ReserveRequest> = {}): ReserveRequest {
  const ask = { fixed: { tokens: 5, nanoUsd: 0 }, each: none, floor: 0, wish: 0, atMost: 0 }
  const fixed = { id: 'r', owner: 'ann', phase: 'reserved', leaseMs: 60_000, onExpire: 'charge', now: 0 } as const
  return { ...fixed, ask, pools: [{ name: pool, terms }], ...more }
}

describe.skipIf(!hasPostgres)('two processes with one id at the same moment on PostgreSQL', () => {
  it('the later one is told that the id is taken, not that too many are open', async () => {
    const postgres = postgresSchema()
    onTestFinished(() => postgres.remove())
    const other = await postgres.open()
    let meanwhile: (() => unknown) | undefined = () => other.budgets.reserve(request('hourly'))
    const pool = postgres.pool()
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...given: unknown[]) => Promise<unknown>
      const slow = async (...given: unknown[]): Promise<unknown> => {
        const answer = await query(...given)
        const work = JSON.stringify(given).includes('order by since, place') ? meanwhile : undefined
        if (work !== undefined) {
          meanwhile = undefined
          await work()
        }
        return answer
      }
      Object.assign(client, { query: slow })
    })
    const { budgets, open } = sqlStorage(pool, { schema: postgres.schema, silenceMs: PATIENT_MS })
    await open!({ migrate: false })
    const late = async () => budgets.reserve(request('lifetime', { maxOpen: 1 }))
    await expect(late()).rejects.toMatchObject({ code: 'reservation_conflict' })
    expect(meanwhile).toBeUndefined()
  })
})
