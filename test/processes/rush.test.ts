import { createGateway, type PoolSnapshot } from '@hoosh/core'
import { diagnose } from '@hoosh/core/storage'
import { scriptedProvider } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { DATABASES } from '../support/databases.js'
import { PRICES } from '../support/money.js'
import { RUSH_POOLS, rush, SEEDS } from '../support/rush.js'

const script = new URL('../processes/gateway-child.mjs', import.meta.url)

describe.each(DATABASES)('four processes on one $name', ({ missing, make }) => {
  it.skipIf(missing !== null)(
    'of 50 calls at once, what five can cost, five are answered, every seed',
    async () => {
      const database = make()
      const provider = await scriptedProvider()
      const options = {
        providers: [{ type: 'openai', baseUrl: provider.url }],
        prices: PRICES,
        pools: RUSH_POOLS,
        budget: {},
        audit: false,
      } as const
      // A fifth, which only looks.
      const storage = await database.open()
      const watcher = createGateway({ ...options, storage, logger: false })
      const started = await Promise.all(
        [1, 2, 3, 4].map(() => child(script, [database.place, JSON.stringify(options)])),
      )
      onTestFinished(async () => {
        for (const { process } of started) await killed(process)
        await watcher.close()
        await provider.close()
        await database.remove()
      })
      const urls = started.map(({ line }) => `http://127.0.0.1:${line}`)
      const pool = async (name: string): Promise<PoolSnapshot> =>
        (await watcher.as({ user: 'watcher', pool: name }).budget.pools())[0]!
      for (const seed of SEEDS) await rush(seed, ['tight'], { provider, urls, pool })
      expect(await diagnose(storage)).toMatchObject({ verdict: 'sound', findings: [] })
    },
    120_000,
  )
})
