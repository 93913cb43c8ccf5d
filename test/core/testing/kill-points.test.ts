import { HooshError } from '@hoosh/core'
import { memoryBudgets, type Storage } from '@hoosh/core/storage'
import { KILL_POINTS, killPoints, scriptedProvider } from '@hoosh/core/testing'
import { request } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { serve } from '../../support/mounts.js'

/** A point that notes that it was come to, in place of a death. */
const noting = (at: string) => {
  const deaths: string[] = []
  return { deaths, kill: killPoints(at, () => void deaths.push(at)) }
}

describe('kill points', () => {
  it('without a name give back what they are given, the same object', () => {
    const kill = killPoints('')
    const things = [{}, { query() {} }, () => {}] as const
    expect([kill.storage(things[0]), kill.database(things[1]), kill.answers(things[2])]).toEqual(things)
    expect(kill.storage(things[0])).toBe(things[0])
    expect(kill.answers(things[2])).toBe(things[2])
  })

  it.each(['settle', 'before-lunch', 'before-settle:0', 'before-settle:x'])('refuse %s, which is none', (at) => {
    expect(() => killPoints(at)).toThrow(HooshError)
  })

  it('have a name each', () => {
    expect(new Set(KILL_POINTS).size).toBe(KILL_POINTS.length)
    for (const name of KILL_POINTS) expect(() => killPoints(name, () => {})).not.toThrow()
  })

  it('stand before and after a step of a store, at the time that was said', async () => {
    const budgets = memoryBudgets({ clock: () => 0 })
    for (const at of ['before-renew:2', 'after-renew:2']) {
      const { kill, deaths } = noting(at)
      const stores: Pick<Storage, 'budgets'> = kill.storage({ budgets })
      await stores.budgets.renew([], 1_000)
      expect(deaths).toEqual([])
      await stores.budgets.renew([], 1_000)
      await stores.budgets.renew([], 1_000)
      expect(deaths).toEqual([at])
    }
  })

  it('leave a store that answers at once one that does, and one that fails one that fails', async () => {
    const { kill, deaths } = noting('after-settle')
    const { budgets } = kill.storage({ budgets: memoryBudgets({ clock: () => 0 }) })
    expect(() => budgets.settle('none', { tokens: 1, nanoUsd: 0 })).toThrow(HooshError)
    expect(kill.storage({ budgets: memoryBudgets({ clock: () => 0 }) }).budgets.list({ limit: 1, now: 0 })).toEqual([])
    expect(deaths).toEqual([])
  })

  it.each(['in', 'sent'])('%s: around the commit of a step, and of no other transaction', async (moment) => {
    const said: string[] = []
    const { kill, deaths } = noting(`${moment}-record`)
    const client = { query: async (text: string) => void said.push(`${text} ${deaths.length}`) }
    const pool = kill.database({ connect: async () => client })
    const transaction = async () => {
      const { query } = await pool.connect()
      for (const text of ['begin', 'insert', 'commit']) await query(text)
    }
    await transaction()
    expect(deaths).toEqual([])
    const { usage } = kill.storage({ usage: { record: transaction } as unknown as Storage['usage'] })
    await usage.record([])
    await transaction()
    expect(said.slice(3, 6)).toEqual(['begin 0', 'insert 0', `commit ${moment === 'in' ? 1 : 0}`])
    expect(deaths).toHaveLength(1)
  })

  it('are on the way to a provider and back', async () => {
    const provider = await scriptedProvider()
    onTestFinished(() => provider.close())
    const points = ['before-request', 'request-sent', 'first-byte', 'last-byte']
    const come: string[] = []
    for (const at of points) killPoints(at, () => void come.push(at))
    await (await request(`${provider.url}/chat/completions`, { method: 'POST', body: '{}' })).body.dump()
    expect(come).toEqual(points)
  })

  it.each([
    ['piece:2', ['1']],
    ['before-done', ['1', '2']],
    ['after-done', ['1', '2', '[DONE]']],
  ])('%s: what has been written of a stream by then', async (at, written) => {
    const { kill, deaths } = noting(at)
    const before: string[] = []
    const served = await serve(
      kill.answers((_request, response) => {
        for (const piece of ['1', '2', '[DONE]']) {
          response.write(piece)
          if (deaths.length === 0) before.push(piece)
        }
        process.nextTick(() => response.end())
      }),
    )
    onTestFinished(() => served.close())
    expect(await (await fetch(served.url)).text()).toBe('12[DONE]')
    expect([before, deaths]).toEqual([written, [at]])
  })

  it('a plain answer has its last words at its end', async () => {
    const { kill, deaths } = noting('before-done')
    const served = await serve(kill.answers((_request, response) => void response.end('all')))
    onTestFinished(() => served.close())
    expect(await (await fetch(served.url)).text()).toBe('all')
    expect(deaths).toHaveLength(1)
  })

  it('stand around what takes a checkpoint away', async () => {
    const order: string[] = []
    const kill = killPoints('after-sink', () => void order.push('dead'))
    await kill.delivery('archive', async () => void order.push('archived'))('s')
    await kill.delivery('sink', async () => void order.push('taken'))('line')
    expect(order).toEqual(['archived', 'taken', 'dead'])
  })
})
