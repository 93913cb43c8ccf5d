import { bearerTokens, firstOf, HooshError, type HooshOptions, type Identity } from '@hoosh/core'
import { memoryRates, type RateStore } from '@hoosh/core/storage'
import { gate, type ScriptedProvider } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SHARED_STORAGES } from '../support/databases.js'
import { chat, type Door, door, errorOf, type Reply, routeFor, type Sending, upstream } from '../support/door.js'
import { until } from '../support/money.js'
import { people } from '../support/mounts.js'

const MINUTE_MS = 60_000

/** A gateway before a provider, and callers with limits of their own. */
async function opened(
  options: HooshOptions = {},
  { identities = [], provider }: { identities?: (Identity & { token: string })[]; provider?: ScriptedProvider } = {},
) {
  const behind = provider ?? (await upstream())
  const to = await door(
    { providers: [{ type: 'vllm', baseUrl: behind.url }], pools: { '*': {} }, ...options },
    { identify: firstOf(bearerTokens(identities), bearerTokens(Object.values(people))) },
  )
  return { to, provider: behind }
}

const lea = (limits: Identity['limits']) => ({ token: 'lea', user: 'lea', pool: 'user:lea', ...(limits && { limits }) })
const asLea: Sending = { as: 'nobody', headers: { authorization: 'Bearer lea' } }

const rateHeaders = ({ headers }: Reply) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('x-ratelimit-')))

/** All answers, and when so many of them are there. */
function answers(calls: Promise<Reply>[]) {
  let count = 0
  for (const call of calls) void call.then(() => (count += 1))
  return { all: Promise.all(calls), answered: (many: number) => until(() => count >= many) }
}

const statuses = (replies: Reply[]) => ({
  granted: replies.filter(({ status }) => status === 200).length,
  refused: replies.filter(({ status }) => status === 429).length,
})

describe('the headers of a limit', () => {
  it('say what is left and when all of it is back, on plain answers, streams and refusals', async () => {
    const { to } = await opened({ pools: { '*': { limits: { requestsPerMinute: 2 } } } })
    const first = await chat(to, 'm')
    expect(rateHeaders(first)).toEqual({
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-requests': '1',
      'x-ratelimit-reset-requests': '1m0s',
    })
    to.clock.advance(15_250)
    const second = await chat(to, 'm', { stream: true })
    expect(rateHeaders(second)).toMatchObject({ 'x-ratelimit-remaining-requests': '0' })
    to.clock.advance(1_000)
    const third = await chat(to, 'm')
    expect([third.status, errorOf(third).code]).toEqual([429, 'rate_limit_exceeded'])
    expect(errorOf(third).message).toBe('The limit of pool user:alice is 2 requests per minute; try again in 44 s.')
    // The first is over in 43.75 s, so one second later than 43 there is room.
    expect(third.headers.get('retry-after')).toBe('44')
    expect(rateHeaders(third)).toEqual({
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-reset-requests': '59s',
    })
    to.clock.advance(43_749)
    expect((await chat(to, 'm')).status).toBe(429)
    to.clock.advance(1)
    expect((await chat(to, 'm')).status).toBe(200)
  })

  it('are of the tightest window of each kind', async () => {
    const { to } = await opened(
      { pools: { '*': { limits: { requestsPerMinute: 3, tokensPerMinute: 100_000 } } } },
      { identities: [lea({ requestsPerMinute: 100, tokensPerMinute: 50_000 })] },
    )
    const headers = rateHeaders(await chat(to, 'm', { max_tokens: 16 }, asLea))
    expect(headers).toMatchObject({ 'x-ratelimit-limit-requests': '3', 'x-ratelimit-limit-tokens': '50000' })
    expect(Number(headers['x-ratelimit-remaining-tokens'])).toBeLessThan(50_000)
  })

  it('are not there where there is no limit, and of a route nobody is told', async () => {
    const provider = await upstream()
    const { to } = await opened(
      { providers: [{ type: 'vllm', baseUrl: provider.url, rpm: 1, tpm: 1_000 }] },
      { provider },
    )
    expect(rateHeaders(await chat(to, 'm'))).toEqual({})
    const refused = await chat(to, 'm')
    expect([refused.status, rateHeaders(refused)]).toEqual([429, {}])
  })
})

describe('a limit of 0', () => {
  const final = ({ status, headers }: Reply) => [status, headers.get('retry-after'), headers.get('x-should-retry')]

  it('says that no call will ever pass: neither when to come back, nor when anything is', async () => {
    const { to, provider } = await opened({ pools: { '*': { limits: { requestsPerMinute: 0, tokensPerMinute: 9 } } } })
    const refused = await chat(to, 'm')
    expect([...final(refused), errorOf(refused).code]).toEqual([429, null, 'false', 'rate_limit_exceeded'])
    expect(errorOf(refused).message).toBe('The limit of pool user:alice is 0 requests per minute.')
    expect(rateHeaders(refused)).toMatchObject({
      'x-ratelimit-limit-requests': '0',
      'x-ratelimit-remaining-requests': '0',
      'x-ratelimit-limit-tokens': '9',
      'x-ratelimit-reset-tokens': '0ms',
    })
    expect(refused.headers.has('x-ratelimit-reset-requests')).toBe(false)
    expect(provider.requests).toHaveLength(0)
  })

  it('is what a refusal tells, whatever else is used up for longer', async () => {
    const limits = { requestsPerMinute: 1 }
    const { to } = await opened({ limits: { models: { m: limits, 'none*': { requestsPerMinute: 0 } } } })
    const pools = { limits: { tokensPerMinute: 0 } }
    const both = await opened({ limits: { models: { '*': limits, 'none*': { requestsPerMinute: 0 } } } })
    await chat(both.to, 'm')
    const refused = await chat(both.to, 'none')
    expect([...final(refused), errorOf(refused).message]).toEqual([
      429,
      null,
      'false',
      'The limit of model none* is 0 requests per minute.',
    ])
    expect(rateHeaders(refused)).toEqual({
      'x-ratelimit-limit-requests': '0',
      'x-ratelimit-remaining-requests': '0',
    })
    await chat(to, 'm')
    expect(final(await chat(to, 'm'))).toEqual([429, '60', null])
    expect(final(await chat((await opened({ pools: { '*': pools } })).to, 'm'))).toEqual([429, null, 'false'])
  })

  it('of calls at the same time lets none in, now or in a second', async () => {
    const { to } = await opened({ pools: { '*': { limits: { concurrent: 0 } } } })
    const refused = await chat(to, 'm')
    expect([...final(refused), errorOf(refused).code]).toEqual([429, null, 'false', 'concurrency_exceeded'])
    expect(errorOf(refused).message).toBe('pool user:alice may have no call running.')
  })
})

describe('tokens a minute', () => {
  const LIMIT = 3_000

  it('count at once with what a call may use, then with what it has used', async () => {
    const rates = memoryRates()
    const { to, provider } = await opened({ storage: { rates } }, { identities: [lea({ tokensPerMinute: LIMIT })] })
    provider.hold()
    // Each may use 1,024 and its prompt: three of them use up the window, the third passing it.
    const { answered, all } = answers(Array.from({ length: 20 }, () => chat(to, 'm', {}, asLea)))
    await answered(17)
    provider.release()
    const replies = await all
    expect(statuses(replies)).toEqual({ granted: 3, refused: 17 })
    const ask = { key: 'user lea tokens', limit: LIMIT, windowMs: MINUTE_MS, cost: 0 }
    const { windows } = await rates.take([ask], to.clock.now())
    expect(windows[0]!.remaining).toBe(LIMIT - provider.bill.totalTokens)
    expect((await chat(to, 'm', {}, asLea)).status).toBe(200)
  })

  it('one call may be larger than the limit, the next one waits', async () => {
    const { to } = await opened({}, { identities: [lea({ tokensPerMinute: 10 })] })
    expect((await chat(to, 'm', {}, asLea)).status).toBe(200)
    const next = await chat(to, 'm', {}, asLea)
    expect([next.status, next.headers.get('retry-after')]).toEqual([429, '60'])
    to.clock.advance(MINUTE_MS)
    expect((await chat(to, 'm', {}, asLea)).status).toBe(200)
  })

  it('are given back by a call that was refused afterwards, or failed at no cost', async () => {
    const { to, provider } = await opened(
      { pools: { 'user:lea': { tokens: 10 }, 'user:rich': {} } },
      {
        identities: [
          lea({ tokensPerMinute: LIMIT }),
          { ...lea({ tokensPerMinute: LIMIT }), token: 'rich', pool: 'user:rich' },
        ],
      },
    )
    expect(errorOf(await chat(to, 'm', {}, asLea)).code).toBe('budget_exceeded')
    const rich: Sending = { as: 'nobody', headers: { authorization: 'Bearer rich' } }
    provider.script({ status: 400, body: { error: { message: 'no' } } })
    expect((await chat(to, 'm', {}, rich)).status).toBe(400)
    const left = rateHeaders(await chat(to, 'm', { max_tokens: 1 }, rich))['x-ratelimit-remaining-tokens']
    expect(Number(left)).toBeGreaterThan(LIMIT - 50)
  })
})

/** In memory, and wherever processes share them; a store that is not here is told of by the tests of its own. */
const RATES = [
  { name: 'memory', missing: null, make: () => ({ open: async () => ({ rates: memoryRates() }), remove: () => {} }) },
  ...SHARED_STORAGES,
]

describe.each(RATES.filter(({ missing }) => missing === null))('a call that finds no place, on $name', ({ make }) => {
  const calling = async (limits: Identity['limits']) => {
    const { open, remove } = make()
    const { rates } = await open()
    onTestFinished(() => remove())
    const { to, provider } = await opened(
      { storage: rates === undefined ? {} : { rates } },
      { identities: [lea(limits)] },
    )
    const running = gate()
    provider.script({ holdHead: running })
    const first = chat(to, 'm', {}, asLea)
    await running.reached
    const ended = () => {
      running.open()
      return first
    }
    return { to, ended }
  }

  it('counts in no window: of three requests a minute two are left, however often it tried', async () => {
    const { to, ended } = await calling({ requestsPerMinute: 3, tokensPerMinute: 5_000, concurrent: 1 })
    for (let tries = 0; tries < 4; tries += 1) {
      const refused = await chat(to, 'm', {}, asLea)
      expect([refused.status, errorOf(refused).code]).toEqual([429, 'concurrency_exceeded'])
      expect(errorOf(refused).message).toMatch(/^user lea has \d+ calls? running, as many as it may\.$/)
      expect(rateHeaders(refused)).toMatchObject({
        'x-ratelimit-limit-requests': '3',
        'x-ratelimit-remaining-requests': '2',
      })
      expect(Number(rateHeaders(refused)['x-ratelimit-remaining-tokens'])).toBeGreaterThan(3_900)
    }
    expect((await ended()).status).toBe(200)
    expect([await routeFor(to, 'm', {}, asLea), await routeFor(to, 'm', {}, asLea)]).toEqual(['vllm', 'vllm'])
    expect(await routeFor(to, 'm', {}, asLea)).toBe('rate_limit_exceeded')
  })

  it('is an event that names whose limit it was', async () => {
    const { to, ended } = await calling({ concurrent: 1 })
    expect(await routeFor(to, 'm', {}, asLea)).toBe('concurrency_exceeded')
    expect(to.events).toContainEqual({ type: 'rate.limited', key: 'user lea' })
    await ended()
  })
})

describe('whom a limit counts for', () => {
  it('each model by its pattern, of everybody or of each user, also under another name', async () => {
    const { to } = await opened({
      limits: { models: { 'big*': { requestsPerMinute: 2, per: 'user' }, rare: { requestsPerMinute: 1 } } },
      routing: { aliases: { best: 'big-1' } },
    })
    const status = async (model: string, as: Sending['as'] = 'alice') => (await chat(to, model, {}, { as })).status
    expect([await status('big-1'), await status('best'), await status('big-2')]).toEqual([200, 200, 429])
    expect([await status('big-1', 'bob'), await status('small')]).toEqual([200, 200])
    expect([await status('rare'), await status('rare', 'bob')]).toEqual([200, 429])
  })

  it('each route by its own: calls go on to the next one', async () => {
    const [first, second] = [await upstream(), await upstream()]
    const { to } = await opened(
      {
        providers: [
          { type: 'vllm', name: 'first', baseUrl: first.url, tpm: 100, priority: 1 },
          { type: 'vllm', name: 'second', baseUrl: second.url, priority: 2 },
        ],
      },
      { provider: first },
    )
    const routes = []
    for (let times = 0; times < 2; times += 1)
      routes.push((await chat(to, 'm', { max_tokens: 200 })).headers.get('x-hoosh-route'))
    // The first call counts 200 and more while it runs, and what it has used when it is done: 23.
    expect(routes).toEqual(['first', 'first'])
    first.hold()
    const running = chat(to, 'm', { max_tokens: 200 })
    await first.received(3)
    expect((await chat(to, 'm', { max_tokens: 200 })).headers.get('x-hoosh-route')).toBe('second')
    first.release()
    expect((await running).headers.get('x-hoosh-route')).toBe('first')
  })
})

describe('across processes', () => {
  const shared = async (limits: Identity['limits'], rates: RateStore) => {
    const provider = await upstream()
    const options = { storage: { rates }, budget: { leaseMs: 60_000 } }
    const doors = [
      await opened(options, { identities: [lea(limits)], provider }),
      await opened(options, { identities: [lea(limits)], provider }),
    ]
    return { doors: doors.map(({ to }) => to), provider }
  }
  const both = (doors: Door[], calls: number) =>
    Array.from({ length: calls }, (_, index) => chat(doors[index % 2]!, 'm', {}, asLea))

  it('as many requests pass as the limit says', async () => {
    const { doors } = await shared({ requestsPerMinute: 7 }, memoryRates())
    expect(statuses(await Promise.all(both(doors, 40)))).toEqual({ granted: 7, refused: 33 })
  })

  it('as many calls run at the same time, and a process that dies gives its places back', async () => {
    const { doors, provider } = await shared({ concurrent: 3 }, memoryRates())
    provider.hold()
    const { answered, all: running } = answers(both(doors, 20))
    await answered(17)
    expect(errorOf(await chat(doors[1]!, 'm', {}, asLea)).code).toBe('concurrency_exceeded')
    // As the clock of its process would, had it died with its calls running.
    for (const { clock } of doors) clock.advance(MINUTE_MS)
    const anew = Promise.all(both(doors, 3))
    await provider.received(6)
    provider.release()
    expect(statuses(await running)).toEqual({ granted: 3, refused: 17 })
    expect(statuses(await anew)).toEqual({ granted: 3, refused: 0 })
    expect(statuses(await Promise.all(both(doors, 2)))).toEqual({ granted: 2, refused: 0 })
  })
})

describe('a rate store that is away', () => {
  it('does not make another refusal of one: a call that finds no place is told so', async () => {
    const rates = memoryRates()
    let isAway = false
    const take: RateStore['take'] = (asks, now) => {
      if (isAway) throw new HooshError('store_unavailable')
      return rates.take(asks, now)
    }
    const enter: RateStore['enter'] = (_id, places) => {
      isAway = true
      return places[0]!.key
    }
    const { to } = await opened(
      { storage: { rates: { ...rates, take, enter } } },
      { identities: [lea({ requestsPerMinute: 5, tokensPerMinute: 100, concurrent: 1 })] },
    )
    const refused = await chat(to, 'm', {}, asLea)
    expect([refused.status, errorOf(refused).code, refused.headers.get('retry-after')]).toEqual([
      429,
      'concurrency_exceeded',
      '1',
    ])
    expect(rateHeaders(refused)).toMatchObject({
      'x-ratelimit-remaining-requests': '5',
      'x-ratelimit-remaining-tokens': '1',
    })
  })

  it('refuses new calls with 503, and no call that runs fails for it', async () => {
    let isAway = false
    const rates = memoryRates()
    const step =
      <Args extends unknown[], Result>(does: (...args: Args) => Result) =>
      (...args: Args): Result => {
        if (isAway) throw new HooshError('store_unavailable')
        return does(...args)
      }
    const storage = {
      rates: {
        take: step(rates.take),
        add: step(rates.add),
        giveBack: step(rates.giveBack),
        enter: step(rates.enter),
        stay: step(rates.stay),
        leave: step(rates.leave),
      },
    }
    const { to, provider } = await opened({ storage }, { identities: [lea({ tokensPerMinute: 9_999, concurrent: 5 })] })
    const middle = gate()
    provider.script({ holdHead: middle })
    const running = chat(to, 'm', {}, asLea)
    await middle.reached
    isAway = true
    expect((await chat(to, 'm', {}, asLea)).status).toBe(503)
    middle.open()
    expect((await running).status).toBe(200)
    isAway = false
    expect((await chat(to, 'm', {}, asLea)).status).toBe(200)
  })
})
