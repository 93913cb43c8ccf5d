import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fairQueue, PRIORITIES, type Waiter } from '../../../packages/core/src/routing/fair-queue.js'

const NORMAL = PRIORITIES.indexOf('normal')
const of = (pool: string, more: Partial<Waiter> = {}): Waiter => ({ pool, weight: 1, tier: NORMAL, ...more })

/** Who is served, in order. */
const served = (...waiters: Waiter[]) => {
  const queue = fairQueue<string>()
  for (const waiter of waiters) queue.push(waiter, waiter.pool)
  return Array.from({ length: queue.size }, () => queue.shift()!.item).join('')
}

const many = (count: number, waiter: Waiter) => Array.from({ length: count }, () => waiter)

describe('the queue of a route', () => {
  it('serves calls of one pool in the order they came', () => {
    const queue = fairQueue<number>()
    for (let index = 0; index < 5; index += 1) queue.push(of('a'), index)
    expect(Array.from({ length: 5 }, () => queue.shift()!.item)).toEqual([0, 1, 2, 3, 4])
    expect(queue.shift()).toBeUndefined()
  })

  it('shares between pools: whoever sends many calls does not keep another waiting for all of them', () => {
    expect(served(...many(6, of('a')), of('b'), of('b'))).toBe('ababaaaa')
  })

  it('gives a pool of weight 3 three turns for one', () => {
    expect(served(...many(6, of('a', { weight: 3 })), ...many(3, of('b')))).toMatch(/^aa[ab]{2}aa/)
    expect(served(...many(300, of('a', { weight: 3 })), ...many(300, of('b'))).slice(0, 400)).toSatisfy(
      (turns: string) => turns.replaceAll('b', '').length === 300,
    )
  })

  it('serves the higher tier first, whoever is in it', () => {
    expect(
      served(of('n'), of('b', { tier: 4 }), of('c', { tier: 0 }), of('h', { tier: 1 }), of('l', { tier: 3 })),
    ).toBe('chnlb')
  })

  it('says how many come before', () => {
    const queue = fairQueue<string>()
    expect([of('a'), of('a'), of('b'), of('c', { tier: 0 })].map((waiter) => queue.push(waiter, '').before)).toEqual([
      0, 1, 1, 0,
    ])
  })

  it('nobody is paid back for the time before the queue was empty', () => {
    const queue = fairQueue<string>()
    for (const waiter of many(50, of('a'))) queue.push(waiter, 'a')
    while (queue.size > 0) queue.shift()
    for (const waiter of [of('a'), of('b'), of('a'), of('b')]) queue.push(waiter, waiter.pool)
    expect(Array.from({ length: 4 }, () => queue.shift()!.item).join('')).toBe('abab')
  })

  it('loses nobody and serves nobody twice, whoever comes, leaves and is served', () => {
    const waiter = fc.record({
      pool: fc.constantFrom('a', 'b', 'c'),
      weight: fc.integer({ min: 1, max: 9 }),
      tier: fc.nat(4),
    })
    const step = fc.oneof(
      waiter.map((who) => ({ push: who })),
      fc.constant('shift' as const),
      fc.nat(20).map((at) => ({ remove: at })),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = fairQueue<number>()
        const here: ReturnType<typeof queue.push>['entry'][] = []
        let next = 0
        for (const one of steps) {
          if (one === 'shift') {
            const entry = queue.shift()
            if (entry === undefined) expect(here).toEqual([])
            else {
              expect(here).toContain(entry)
              expect(entry.tier).toBe(Math.min(...here.map(({ tier }) => tier)))
              here.splice(here.indexOf(entry), 1)
            }
          } else if ('push' in one) here.push(queue.push(one.push, next++).entry)
          else if (here.length > 0) queue.remove(here.splice(one.remove % here.length, 1)[0]!)
          expect(queue.size).toBe(here.length)
        }
      }),
    )
  })
})
