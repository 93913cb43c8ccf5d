import { describe, expect, it, onTestFinished } from 'vitest'
import { ALL_STORES, ask, headersOf, till } from '../support/money.js'

const LONE = '\ud800'

describe.each(ALL_STORES)('what no store can keep or find is 400 and names the parameter, on $name', (kind) => {
  const opened = async () => {
    const counter = await till(kind, { pools: { 'user:*': { tokens: 1_000_000 } } })
    onTestFinished(() => counter.close())
    await (await counter.call(ask())).text()
    const send = async (method: string, path: string, body?: unknown) => {
      const reply = await fetch(`${counter.url}/v1/${path}`, {
        method,
        headers: headersOf({ user: 'root' }),
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await reply.text()
      const { error } = JSON.parse(text) as { error?: { param: string | null } }
      return [reply.status, error?.param]
    }
    return { ...counter, send }
  }

  it.each([
    ['tokens/pools/user:alice/entries?before=5-5.0', 'before'],
    ['tokens/pools/user:alice/entries?before=%00', 'before'],
    ['tokens/pools/user:alice%00/entries', 'name'],
    ['tokens/pools?after=%00', 'after'],
    ['costs?user=%00', 'user'],
    ['costs?pool=%00', 'pool'],
    ['audit?event=%00', 'event'],
    ['audit?subject=%00', 'subject'],
    ['audit?model=%00', 'model'],
    ['audit?cursor=%00', 'cursor'],
    ['audit/%00/payload', 'id'],
    ['keys?user=%00', 'user'],
  ])('GET /v1/%s', async (path, param) => {
    const { send } = await opened()
    expect(await send('GET', path)).toEqual([400, param])
  })

  it('ids of entries of another kind of storage', async () => {
    const { send } = await opened()
    const answers = await Promise.all(
      ['5', '5.5', '5-5'].map((id) => send('GET', `tokens/pools/user:alice/entries?before=${id}`)),
    )
    // Its own kind is an entry that was there, or may have been.
    expect(answers.filter(([status]) => status === 400)).toEqual([
      [400, 'before'],
      [400, 'before'],
    ])
    expect(answers.filter(([status]) => status === 200)).toHaveLength(1)
  })

  it('texts of bodies, and of the host in process', async () => {
    const { send, gateway } = await opened()
    expect(await send('POST', 'tokens/pools/user:alice/credits', { tokens: 5, note: LONE })).toEqual([400, 'note'])
    expect(await send('POST', 'tokens/pools/user:alice/refunds', { tokens: 5, reservation_id: '\0' })).toEqual([
      400,
      'reservation_id',
    ])
    expect(await send('POST', 'tokens/report', { reservation_id: '\0', actual: 1 })).toEqual([400, 'reservation_id'])
    expect(await send('PUT', `tokens/pools/${encodeURIComponent('user:\0')}`, { tokens: 5 })).toEqual([400, 'name'])
    expect(await send('POST', 'tokens/check', { tokens: 5, pool: LONE })).toEqual([400, 'pool'])
    const { budget } = gateway.as({ user: 'root', roles: ['admin'], pool: 'user:alice' })
    const refused = (param: string) => expect.objectContaining({ code: 'invalid_request', details: { param } })
    const credit = { tokens: 5, note: LONE }
    for (const id of ['a', 'a'])
      await expect(budget.credit('user:alice', { ...credit, id })).rejects.toEqual(refused('note'))
    await expect(budget.credit('user:alice', { tokens: 5, id: LONE })).rejects.toEqual(refused('id'))
    await expect(budget.credit('user:\0', { tokens: 5 })).rejects.toEqual(refused('pool'))
    await expect(budget.freeze('user:\0')).rejects.toEqual(refused('pool'))
    await expect(budget.refund('user:alice', { tokens: 5, reservation: '\0' })).rejects.toEqual(refused('reservation'))
    await expect(budget.entries('user:alice', { before: 'x' })).rejects.toEqual(refused('before'))
  })
})
