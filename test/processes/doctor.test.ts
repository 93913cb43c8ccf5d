import { diagnose } from '@hoosh/core/storage'
import { scriptedProvider } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { DATABASES } from '../support/databases.js'
import { PRICES } from '../support/money.js'

const script = new URL('../processes/gateway-child.mjs', import.meta.url)
const CALLS = process.env.HOOSH_LONG === '1' ? 4_000 : 60
const KEY = 'a key of this test alone'

describe.each(DATABASES)('a doctor beside four gateways on $name', ({ missing, make }) => {
  it.skipIf(missing !== null)(
    'raises no false alarm while they work, nor after one was killed',
    { timeout: 600_000 },
    async () => {
      const database = make()
      const storage = await database.open()
      const provider = await scriptedProvider()
      const options = {
        providers: [{ type: 'openai', baseUrl: provider.url }],
        prices: PRICES,
        pools: { 'user:*': { usd: '1000', window: 'hour' }, 'team:*': { tokens: 100_000_000 } },
      }
      const started = await Promise.all(
        [1, 2, 3, 4].map(() => child(script, [database.place, JSON.stringify(options)])),
      )
      onTestFinished(async () => {
        for (const { process } of started) await killed(process)
        await provider.close()
        await database.remove()
      })
      const ask = async (number: number) => {
        const reply = await fetch(`http://127.0.0.1:${started[number % 4]!.line}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-pools': `user:${number % 3},team:red` },
          body: JSON.stringify({
            model: 'gpt-4o',
            stream: number % 2 === 0,
            messages: [{ role: 'user', content: 'hi' }],
          }),
        })
        return (await reply.text()).length
      }
      let asked = 0
      const worker = async () => {
        while (asked < CALLS) {
          asked += 1
          if (asked === CALLS / 2) await killed(started[3]!.process)
          await ask(asked).catch(() => 0) // one of the four is gone from the middle on
        }
      }
      const working = Promise.all(Array.from({ length: 16 }, worker))
      let looks = 0
      let isOver = false
      const over = working.then(() => {
        isOver = true
      })
      while (!isOver) {
        expect((await diagnose(storage, { auditKey: KEY })).findings).toEqual([])
        looks += 1
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      await over
      const { verdict, findings, looked } = await diagnose(storage, { auditKey: KEY })
      expect([verdict, findings]).toEqual(['sound', []])
      expect(looks).toBeGreaterThan(0)
      expect(looked.accounts).toBe(4)
      expect(looked['usage records']).toBeGreaterThan(CALLS / 2)
      expect(looked['audit entries']).toBeGreaterThan(CALLS)
    },
  )
})
