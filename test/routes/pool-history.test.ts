import { describe, expect, it, onTestFinished } from 'vitest'
import { type Door, door, errorOf, routeFor } from '../support/door.js'
import { STORES } from '../support/money.js'

const admin = { as: 'admin' } as const
const POOL = '/v1/tokens/pools/user%3Aalice'

interface History {
  readonly entries: Record<string, unknown>[]
  readonly next: string | null
}

async function open(store: (typeof STORES)[number]): Promise<Door> {
  const { storage, remove } = await store.open()
  onTestFinished(remove)
  return door({ storage, migrate: true, pools: { 'user:*': { tokens: 1_000, usd: '1' } } })
}

/** A reservation of alice's that was charged. */
async function charged(to: Door, tokens: number): Promise<string> {
  const { reservation_id } = (await to.post('/v1/tokens/reserve', { tokens })).body as { reservation_id: string }
  expect((await to.post('/v1/tokens/report', { reservation_id, actual: tokens })).status).toBe(200)
  return reservation_id
}

describe.each(STORES)('credits and refunds over the wire, on $name', (store) => {
  it('are spent, told of and listed as entries, page by page', async () => {
    const to = await open(store)
    const credit = { id: 'order-1', tokens: 500, usd: '0.5', expires_at: '2099-01-01T01:00:00+01:00', note: 'top-up' }
    const first = await to.post(`${POOL}/credits`, credit, admin)
    const shown = { id: 'order-1', tokens: 500, usd: '0.5', expires_at: '2099-01-01T00:00:00.000Z', note: 'top-up' }
    const left = { left: { tokens: 500, usd: '0.5' } }
    expect([first.status, first.body]).toMatchObject([
      200,
      {
        id: 'order-1',
        repeated: false,
        pool: { available: 1_500, usd: { available: '1.5' }, credits: [{ ...shown, ...left }] },
      },
    ])
    expect((await to.post(`${POOL}/credits`, credit, admin)).body).toMatchObject({ repeated: true })
    const other = await to.post(`${POOL}/credits`, { ...credit, tokens: 501 }, admin)
    expect([other.status, errorOf(other).code, errorOf(other).param]).toEqual([409, 'entry_conflict', 'id'])
    expect(errorOf(other).message).toMatch(/another amount, expiry or note: repeat it with the same/)

    const id = await charged(to, 1_200)
    expect((await to.get('/v1/tokens/pools')).body).toMatchObject([{ used: 1_200, available: 300 }])
    const refund = { id: 'ticket', reservation_id: id, tokens: 200 }
    for (const repeated of [false, true]) {
      const reply = await to.post(`${POOL}/refunds`, refund, admin)
      expect([reply.status, reply.body]).toMatchObject([200, { id: 'ticket', repeated, pools: [{ used: 1_000 }] }])
    }
    const tooMuch = await to.post(`${POOL}/refunds`, { reservation_id: id, tokens: 1_001 }, admin)
    expect([tooMuch.status, errorOf(tooMuch).param]).toEqual([400, 'tokens'])
    const foreign = await to.post('/v1/tokens/pools/user%3Abob/refunds', refund, admin)
    expect([foreign.status, errorOf(foreign).code]).toEqual([404, 'not_held'])

    const page = (await to.get(`${POOL}/entries?limit=2`)).body as History
    expect(page.entries).toMatchObject([
      {
        kind: 'refund',
        reservation_id: id,
        window_start: null,
        tokens: -200,
        usd: '0',
        reference: 'ticket',
        note: null,
      },
      { kind: 'settled', reservation_id: id, tokens: 1_200, reference: null, overrun: { tokens: 0, usd: '0' } },
    ])
    const rest = (await to.get(`${POOL}/entries?limit=2&before=${page.next}`, admin)).body as History
    expect(rest).toMatchObject({
      entries: [
        { kind: 'credit', reservation_id: null, tokens: 500, usd: '0.5', reference: 'order-1', note: 'top-up' },
      ],
      next: null,
    })
    const { entries } = (await to.get('/v1/audit?subject=root', admin)).body as { entries: { event: string }[] }
    const told = entries.map(({ event }) => event).filter((event) => event.startsWith('admin.pool_'))
    expect(new Set(told)).toEqual(new Set(['admin.pool_credited', 'admin.pool_refunded']))
  })

  it('a prepaid pool answers while its credit lasts', async () => {
    const to = await open(store)
    await to.send('PUT', POOL, { ...admin, body: JSON.stringify({ tokens: 0 }) })
    expect(await routeFor(to, 'demo')).toBe('budget_exceeded')
    await to.post(`${POOL}/credits`, { tokens: 100_000 }, admin)
    expect(await routeFor(to, 'demo')).toBe('demo')
  })
})

describe('what is no credit, refund or page', () => {
  it.each<[string, object, string]>([
    ['credits', {}, 'tokens'],
    ['credits', { tokens: 0 }, 'tokens'],
    ['credits', { usd: '-1' }, 'usd'],
    ['credits', { tokens: 1, expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    ['credits', { tokens: 1, expires_at: 'tomorrow' }, 'expires_at'],
    ['credits', { tokens: 1, id: 'a b' }, 'id'],
    ['credits', { tokens: 1, note: 'x'.repeat(501) }, 'note'],
    ['refunds', { tokens: 1 }, 'reservation_id'],
  ])('%s of %j are 400 that names it', async (what, body, param) => {
    const reply = await (await door()).post(`${POOL}/${what}`, body, admin)
    expect([reply.status, errorOf(reply).code, errorOf(reply).param]).toEqual([400, 'invalid_request', param])
  })

  it('pages of no size, and pools that nobody knows, are refused', async () => {
    const to = await door()
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'before=x'])
      expect((await to.get(`${POOL}/entries?${query}`)).status).toBe(400)
    expect((await to.get(`${POOL}/entries`)).body).toEqual({ entries: [], next: null })
    expect((await to.get('/v1/tokens/pools/nobody/entries', admin)).status).toBe(404)
    expect((await to.post('/v1/tokens/pools/nobody/credits', { tokens: 1 }, admin)).status).toBe(404)
  })
})

describe('the same in process', () => {
  it('is for the role `admin` alone, but for the entries of his own pools', async () => {
    const { gateway } = await door()
    const alice = gateway.as({ user: 'alice', pool: 'user:alice' })
    const root = gateway.as({ user: 'root', roles: ['admin'] })
    const expiresAt = new Date('2099-01-01')
    const state = await root.budget.credit('user:alice', { id: 'c', tokens: 500, expiresAt })
    expect(state).toMatchObject({
      available: { tokens: 1_000_500 },
      credits: [{ id: 'c', left: { tokens: 500 }, expiresAt: expiresAt.toISOString() }],
    })
    const hold = await alice.budget.reserve({ tokens: 100 })
    await hold.settle({ tokens: 100 })
    const [after] = await root.budget.refund('user:alice', { reservation: hold.id, tokens: 40 })
    expect(after?.used.tokens).toBe(60)
    expect((await alice.budget.entries('user:alice', { limit: 2 })).map(({ kind }) => kind)).toEqual([
      'refund',
      'settled',
    ])
    expect((await root.budget.freeze('user:alice')).frozen).toBe(true)
    await expect(alice.budget.reserve({ tokens: 1 })).rejects.toMatchObject({ code: 'pool_frozen' })
    expect((await root.budget.freeze('user:alice', false)).frozen).toBe(false)
    const refused = [
      alice.budget.credit('user:alice', { tokens: 1 }),
      alice.budget.refund('user:alice', { reservation: hold.id, tokens: 1 }),
      alice.budget.freeze('user:alice', false),
    ]
    for (const call of refused) await expect(call).rejects.toMatchObject({ code: 'forbidden' })
    await expect(alice.budget.entries('user:bob')).rejects.toMatchObject({ code: 'pool_not_allowed' })
  })

  it('is refused by name where the API would refuse it too, and nothing is given', async () => {
    const { gateway } = await door()
    const { budget } = gateway.as({ user: 'root', pool: 'user:root', roles: ['admin'] })
    const [hold, tokens] = [await budget.reserve({ tokens: 5 }), 1]
    await hold.settle({ tokens: 5 })
    const wrong = [
      [() => budget.credit('user:alice', { tokens, expiresAt: new Date('next week') }), 'expiresAt'],
      [() => budget.credit('user:alice', { tokens, expiresAt: '2099-01-01' as never }), 'expiresAt'],
      [() => budget.credit('user:alice', { tokens, id: '' }), 'id'],
      [() => budget.credit('user:alice', { tokens, id: 7 as never }), 'id'],
      [() => budget.credit('user:alice', { tokens, note: 'x'.repeat(501) }), 'note'],
      [() => budget.refund('user:root', { tokens, reservation: hold.id, id: '' }), 'id'],
      [() => budget.refund('user:root', { tokens, reservation: 7 as never }), 'reservation'],
      ...[0, -1, 1.5, 1_001, Number.NaN].map(
        (limit) => [() => budget.entries('user:root', { limit }), 'limit'] as const,
      ),
    ] as const
    for (const [call, param] of wrong)
      await expect(call()).rejects.toMatchObject({ code: 'invalid_request', details: { param } })
    expect((await budget.entries('user:alice')).length).toBe(0)
    expect((await budget.pools())[0]?.used.tokens).toBe(5)
  })
})
