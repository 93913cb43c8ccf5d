import { scriptedProvider } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { DATABASES, type DatabaseKind } from '../support/databases.js'
import { ask } from '../support/money.js'

const script = new URL('../processes/gateway-child.mjs', import.meta.url)
const headers = { 'content-type': 'application/json' }

/** A gateway of its own process on a database that this one can read as well. */
const start = async ({ make }: DatabaseKind, options: object = {}) => {
  const database = make()
  onTestFinished(() => database.remove())
  const started = await child(script, [database.place, JSON.stringify(options)])
  onTestFinished(() => killed(started.process))
  const url = `http://127.0.0.1:${started.line}/v1`
  const post = (path: string, body: object) =>
    fetch(`${url}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  return { database, post, kill: () => killed(started.process) }
}

describe.each(DATABASES)('on $name', (kind) => {
  it.skipIf(kind.missing !== null).each([1, 20, 60])(
    'of 90 reserves at once, each that was acknowledged is there after kill -9 at answer %d',
    async (fatal) => {
      const { database, post, kill } = await start(kind)
      const acknowledged: string[] = []
      const reserve = async (tokens: number) => {
        const reply = await post('tokens/reserve', { tokens })
        const { reservation_id } = (await reply.json()) as { reservation_id: string }
        acknowledged.push(reservation_id)
        if (acknowledged.length === fatal) await kill()
      }
      await Promise.allSettled(Array.from({ length: 90 }, (_, index) => reserve(index + 1)))
      expect(acknowledged.length).toBeGreaterThanOrEqual(fatal)
      const { budgets } = await database.open()
      const found = await Promise.all(acknowledged.map(async (id) => budgets.find({ id })))
      expect(found.map((one) => one?.state)).toEqual(acknowledged.map(() => 'held'))
      const [pool] = await budgets.list({ limit: 1, now: 0 })
      const acknowledgedTokens = found.reduce((sum, one) => sum + one!.holds[0]!.amount.tokens, 0)
      expect(pool!.held.tokens).toBeGreaterThanOrEqual(acknowledgedTokens)
    },
  )

  it.skipIf(kind.missing !== null)('when a provider hears of a call, its hold and its intent are on disk', async () => {
    const provider = await scriptedProvider()
    onTestFinished(() => provider.close())
    provider.hold()
    const { database, post, kill } = await start(kind, { providers: [{ type: 'openai', baseUrl: provider.url }] })
    const calls = Array.from({ length: 20 }, () => post('chat/completions', ask({ max_tokens: 50 })).catch(() => null))
    await provider.received(10)
    await kill()
    const heard = provider.requests.length
    await Promise.all(calls)
    const { budgets, audit } = await database.open()
    const { entries } = await audit.query({ event: 'inference.request', limit: 100 })
    expect(entries.length).toBeGreaterThanOrEqual(heard)
    const holds = await Promise.all(entries.map(async ({ record }) => budgets.find({ id: record.reservation! })))
    expect(holds.map((hold) => hold?.state)).toEqual(entries.map(() => 'held'))
    expect((await budgets.list({ limit: 1, now: 0 }))[0]!.held.tokens).toBeGreaterThanOrEqual(heard * 50)
  })
})
