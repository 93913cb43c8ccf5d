import { describe, expect, it, onTestFinished } from 'vitest'
import { ask, MEMORY, type StoreKind, type Till, till, until } from '../support/money.js'
import { redisLedger, redisMissing } from '../support/redis.js'

const missing = await redisMissing()

/** Two gateways that share all they keep, as two processes would. */
async function pair(limits: object = {}): Promise<[Till, Till]> {
  const ledger = redisLedger()
  onTestFinished(() => ledger.remove())
  const kind: StoreKind = {
    name: 'Redis',
    async open() {
      return { ...(await MEMORY.open()), storage: await ledger.open(), remove: async () => {} }
    },
  }
  const open = async () => {
    const counter = await till(kind, { pools: { 'user:*': { tokens: 1_000_000, limits } }, audit: false })
    onTestFinished(() => counter.close())
    return counter
  }
  return [await open(), await open()]
}

const attempts = (tills: Till[]) => tills.reduce((sum, { provider }) => sum + provider.bill.attempts, 0)
const spent = (tills: Till[]) => tills.reduce((sum, { provider }) => sum + provider.bill.totalTokens, 0)

describe.skipIf(missing !== null)(`two processes on one Redis ${missing ?? ''}`, () => {
  it.each([false, true])('50 calls with one key make one upstream call and one charge (stream: %s)', async (stream) => {
    const both = await pair()
    for (const { provider } of both) provider.hold()
    const calls = Array.from({ length: 50 }, async (_, index) => {
      const reply = await both[index % 2]!.call(ask(stream ? { stream } : {}), { key: 'k-1' })
      return { status: reply.status, isReplay: reply.headers.has('x-hoosh-replay'), text: await reply.text() }
    })
    await until(() => attempts(both) > 0)
    for (const { provider } of both) provider.release()
    const answers = await Promise.all(calls)
    expect(attempts(both)).toBe(1)
    expect(answers.filter(({ isReplay }) => !isReplay)).toHaveLength(1)
    const texts = answers.map(({ status, text }) => `${status} ${text.replace(/"cost_micro_usd":[\d.]+/, '')}`)
    expect(new Set(texts).size).toBe(1)
    expect((await both[0].settled()).used.tokens).toBe(spent(both))
  })

  it('of 60 calls at once as many pass as the limit of requests says, and Retry-After is right', async () => {
    const both = await pair({ requestsPerMinute: 9 })
    const replies = await Promise.all(Array.from({ length: 60 }, (_, index) => both[index % 2]!.call(ask())))
    const refused = replies.filter(({ status }) => status === 429)
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(9)
    expect(refused).toHaveLength(51)
    for (const { headers } of refused) {
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(50)
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
      expect(headers.get('x-ratelimit-remaining-requests')).toBe('0')
    }
    await Promise.all(replies.map((reply) => reply.text()))
  })

  it('as many calls run at the same time as the limit says', async () => {
    const both = await pair({ concurrent: 4 })
    for (const { provider } of both) provider.hold()
    let refused = 0
    const calls = Array.from({ length: 30 }, async (_, index) => {
      const reply = await both[index % 2]!.call(ask())
      if (reply.status === 429) refused += 1
      await reply.text()
      return reply.status
    })
    await until(() => refused === 26)
    for (const { provider } of both) provider.release()
    expect((await Promise.all(calls)).filter((status) => status === 200)).toHaveLength(4)
    expect((await both[1].call(ask())).status).toBe(200)
  })
})
