import { afterAll, beforeAll, describe, it } from 'vitest'
import { STORES, type Till, till } from '../support/money.js'
import { RUSH_POOLS, rush, SEEDS } from '../support/rush.js'

describe.each(STORES)('of 50 calls at once on what five can cost, five are answered, on $name', (store) => {
  let counter: Till
  beforeAll(async () => {
    counter = await till(store, { pools: RUSH_POOLS, audit: false })
  })
  afterAll(() => counter.close())

  it.each([
    ['one pool', ['tight']],
    ['a chain whose first pool is the tighter one', ['tight', 'wide']],
    ['a chain whose second pool is the tighter one', ['wide', 'tight']],
  ])(
    '%s, every seed',
    async (_, widths) => {
      for (const seed of SEEDS) await rush(seed, widths, { ...counter, urls: [counter.url] })
    },
    120_000,
  )
})
