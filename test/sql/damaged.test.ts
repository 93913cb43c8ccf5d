import { diagnose, type PoolAsk } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DATABASES, type DatabaseKind } from '../support/databases.js'

const T = 1_800_000_000_000
const LEASE_MS = 60_000
const terms = { capacity: { tokens: 1_000 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
const pool = (name: string): PoolAsk => ({ name, terms })
const amount = (tokens: number) => ({ tokens, nanoUsd: tokens * 10 })
const CALL = {
  requestId: 'q',
  provider: 'p',
  route: 'r',
  local: false,
  model: 'm',
  kind: 'chat',
  stream: true,
  price: 'p',
}

async function opened({ make }: DatabaseKind) {
  const clock = fakeClock(T)
  const database = make({ clock: clock.now })
  onTestFinished(() => database.remove())
  const storage = await database.open()
  const { budgets } = storage
  const reserve = (id: string, names: readonly string[], tokens = 100) =>
    budgets.reserve({
      id,
      owner: 'ann',
      phase: 'sent',
      pools: names.map(pool),
      ask: { fixed: amount(tokens), each: amount(0), floor: 0, wish: 0, atMost: 0 },
      leaseMs: LEASE_MS,
      now: T,
      onExpire: 'charge',
      call: CALL as never,
    })
  const expire = async () => (await budgets.expire({ onExpire: 'charge', limit: 10 })).map(({ id }) => id).sort()
  const standing = async (name: string) => {
    const [{ used, held, drawn }] = (await budgets.read([pool(name)], clock.now())) as [
      Awaited<ReturnType<typeof budgets.read>>[0],
    ]
    return { used: used.tokens, held: held.tokens, drawn: drawn.tokens }
  }
  const damage = (set: string, id: string) =>
    database.tamper(`update $.hoosh_holds set ${set} where reservation = '${id}'`)
  const wrong = async () =>
    (await diagnose(storage)).findings.map(({ code }) => code).filter((code) => code !== 'setting')
  return { clock, database, storage, budgets, reserve, expire, standing, damage, wrong }
}

describe.each(DATABASES)('a hold whose row is damaged, on $name', (kind) => {
  const test = it.skipIf(kind.missing !== null)

  test.each([
    ['cut short', 'call = substr(call, 1, 20)'],
    ['of another kind', "call = '5'"],
    ['without a model', `call = '{"provider":"p"}'`],
  ])('by a call that is %s ends with the others and is charged; costs lack it alone', async (_what, set) => {
    const { clock, storage, reserve, expire, standing, damage } = await opened(kind)
    for (const id of ['bad', 'good']) await reserve(id, ['a', 'b'])
    await damage(`${set}`, 'bad')
    clock.advance(LEASE_MS)
    expect(await expire()).toEqual(['bad', 'good'])
    for (const name of ['a', 'b']) expect(await standing(name)).toEqual({ used: 200, held: 0, drawn: 0 })
    expect(await storage.usage.totals({})).toMatchObject([{ requests: 1, nanoUsd: 1_000 }])
    // Whoever settles it after all brings what is to be known.
    const settled = await storage.budgets.settle('bad', amount(40))
    expect(settled).toMatchObject({ outcome: 'corrected' })
    expect(settled.reversal).toBeUndefined()
    expect(await standing('a')).toEqual({ used: 140, held: 0, drawn: 0 })
  })

  test('by its draws ends with the others: what it drew stays drawn, and it takes no refund', async () => {
    const { clock, budgets, reserve, standing, damage, wrong } = await opened(kind)
    await budgets.credit(pool('a'), { id: 'gift', amount: { tokens: 500, nanoUsd: 0 }, expiresAt: null, note: null }, T)
    await reserve('full', ['a'], 1_000)
    for (const id of ['bad', 'good']) await reserve(id, ['a'])
    expect(await standing('a')).toEqual({ used: 0, held: 1_200, drawn: 200 })
    await damage('beside = \'{"draws":\'', 'bad')
    await budgets.settle('full', amount(1_000))
    clock.advance(LEASE_MS)
    expect(await reserve('next', ['a'])).toMatchObject({ expired: [{ id: 'bad' }, { id: 'good' }] })
    expect(await standing('a')).toEqual({ used: 1_200, held: 100, drawn: 300 })
    const refund = { reservation: 'bad', id: 'r', amount: { tokens: 1, nanoUsd: 0 }, note: null }
    await expect(budgets.refund(refund)).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(await budgets.find({ id: 'bad' })).toMatchObject({ state: 'expired' })
    expect(await wrong()).toEqual(['damaged'])
  })

  test('by the loss of a credit it drew on is settled, and stops no other', async () => {
    const { database, budgets, reserve, standing } = await opened(kind)
    await budgets.credit(pool('a'), { id: 'gift', amount: { tokens: 500, nanoUsd: 0 }, expiresAt: null, note: null }, T)
    await reserve('drawing', ['a'], 1_100)
    await database.tamper('delete from $.hoosh_credits')
    await Promise.all([budgets.settle('drawing', amount(40)), reserve('other', ['b'])])
    expect(await standing('a')).toEqual({ used: 40, held: 0, drawn: 100 })
  })

  test('by the loss of its account stops nobody else: it holds nowhere, and says so by its id', async () => {
    const { clock, database, budgets, reserve, expire, standing, wrong } = await opened(kind)
    for (const [id, name] of [
      ['bad', 'a'],
      ['good', 'b'],
    ] as const)
      await reserve(id, [name])
    await database.tamper("delete from $.hoosh_accounts where pool = 'a'")
    const both = await Promise.allSettled([budgets.settle('bad', amount(1)), reserve('other', ['b'])])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(both[0]).toMatchObject({ reason: { code: 'store_unavailable', details: { retryable: false } } })
    clock.advance(LEASE_MS)
    expect(await expire()).toEqual(['good', 'other'])
    expect(await standing('b')).toEqual({ used: 200, held: 0, drawn: 0 })
    await reserve('new', ['a'])
    expect(await wrong()).toContain('held')
  })
})
