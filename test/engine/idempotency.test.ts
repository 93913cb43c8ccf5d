import type { ChatParams } from '@hoosh/core'
import { type CacheStore, memoryBudgets, memoryCache } from '@hoosh/core/storage'
import { fakeClock, gate } from '@hoosh/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ask, billed, type CallAs, MEMORY, STORES, type Till, till, until } from '../support/money.js'

const HOUR_MS = 3_600_000

const opened = async (kind = MEMORY, options: Parameters<typeof till>[1] = {}): Promise<Till> => {
  const counter = await till(kind, { pools: { 'user:*': { tokens: 1_000_000 } }, ...options })
  onTestFinished(() => counter.close())
  return counter
}

/** An answer that has come to its end. */
async function whole(reply: Response | Promise<Response>) {
  const { status, headers } = await reply
  const text = await (await reply).text()
  return { status, text, isReplay: headers.get('x-hoosh-replay') === '1', headers }
}

const inProcess = ({ gateway }: Till) => gateway.as({ user: 'alice', pool: 'user:alice' })
const question: ChatParams = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Say something about the sea.' }] }

const codeOf = ({ text }: { text: string }) => (JSON.parse(text) as { error: { code: string } }).error.code

/** Content of all events of a stream. */
const said = (text: string) => [...text.matchAll(/"content":"([^"]*)"/g)].map(([, word]) => word).join('')

/** What counts for those who sum up: nothing but the first. */
const costs = (answers: { headers: Headers }[]) =>
  answers.map(({ headers }) => headers.get('x-hoosh-cost-micro-usd')).filter((cost) => cost !== '0' && cost !== null)

describe.each(STORES)('one key, many calls, on $name', (store) => {
  it('50 at the same time make one upstream call, and all get its answer; one of them pays', async () => {
    const counter = await opened(store)
    counter.provider.hold()
    const calls = Array.from({ length: 50 }, () => whole(counter.call(ask(), { key: 'k-1' })))
    await counter.provider.received(1)
    counter.provider.release()
    const answers = await Promise.all(calls)
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(answers.filter(({ isReplay }) => !isReplay)).toHaveLength(1)
    expect(costs(answers)).toHaveLength(1)
    expect(counter.provider.bill.attempts).toBe(1)
    expect((await counter.settled()).used).toEqual(billed(counter.provider.bill.perAttempt[0]!))
  })

  it('50 streams at the same time make one upstream call: what came so far, then what comes', async () => {
    const counter = await opened(store)
    const middle = gate()
    counter.provider.script({ holdAfter: { events: 6, gate: middle } })
    const early = Array.from({ length: 25 }, () => whole(counter.call(ask({ stream: true }), { key: 'k-1' })))
    await middle.reached
    const late = await Promise.all(
      Array.from({ length: 25 }, () => counter.call(ask({ stream: true }), { key: 'k-1' })),
    )
    const reader = late[0]!.body!.getReader()
    expect(said(Buffer.from((await reader.read()).value!).toString())).not.toBe('')
    reader.releaseLock()
    middle.open()
    const answers = await Promise.all([...early, ...late.slice(1).map(whole)])
    expect(counter.provider.bill.attempts).toBe(1)
    expect(new Set(answers.map(({ text }) => said(text))).size).toBe(1)
    expect(answers.every(({ text }) => text.endsWith('data: [DONE]\n\n'))).toBe(true)
    expect(answers.filter(({ text }) => text.includes('"cost_micro_usd":0,'))).toHaveLength(48)
    expect((await counter.settled()).used).toEqual(billed(counter.provider.bill.perAttempt[0]!))
  })

  it('embeddings as well', async () => {
    const counter = await opened(store)
    const body = { model: 'text-embedding-3-small', input: 'the sea' }
    const calls = Array.from({ length: 5 }, () => whole(counter.call(body, { key: 'k', path: 'embeddings' })))
    const answers = await Promise.all(calls)
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(counter.provider.bill.attempts).toBe(1)
  })
})

describe('a process that dies', () => {
  it('leaves a key that is refused for a day, and never charged again', async () => {
    const clock = fakeClock(1_700_000_000_000)
    // The cache outlives the first gateway, or it does not: the ledger knows the call's reservation all the same.
    for (const survives of [true, false]) {
      const cache = memoryCache({ clock: clock.now })
      const pools = { 'user:*': { tokens: 1_000_000 } }
      const first = await till(MEMORY, { pools, clock: clock.now, storage: (kept) => ({ ...kept, cache }) })
      first.provider.hold()
      const dying = first.call(ask(), { key: 'k-1' }).catch(() => undefined)
      await first.provider.received(1)
      const shared = first.vault.storage
      // All that is left of a process that died: what it had stored.
      const second = await opened(MEMORY, {
        clock: clock.now,
        storage: () => ({ ...shared, ...(survives ? { cache } : { cache: memoryCache({ clock: clock.now }) }) }),
      })
      clock.advance(61_000)
      const answer = await whole(second.call(ask(), { key: 'k-1' }))
      expect([answer.status, codeOf(answer)]).toEqual([409, 'idempotency_unknown'])
      expect(answer.headers.get('x-should-retry')).toBe('false')
      expect(second.provider.bill.attempts).toBe(0)
      clock.advance(25 * HOUR_MS)
      expect((await whole(second.call(ask(), { key: 'k-1' }))).status).toBe(200)
      first.provider.release()
      await dying
      await first.close()
    }
  })
})

describe('a key that was answered', () => {
  it('is answered again for a day, at no cost, and then made anew', async () => {
    const clock = fakeClock(1_700_000_000_000)
    const counter = await opened(MEMORY, { clock: clock.now })
    const first = await whole(counter.call(ask(), { key: 'k', requestId: 'r-1' }))
    clock.advance(24 * HOUR_MS - 1)
    const again = await whole(counter.call(ask(), { key: 'k', requestId: 'r-2' }))
    expect([again.status, again.text, again.isReplay]).toEqual([200, first.text, true])
    expect(again.headers.get('x-request-id')).toBe('r-2')
    expect(again.headers.get('x-hoosh-cost-micro-usd')).toBe('0')
    expect(again.headers.get('x-hoosh-route')).toBe('openai')
    expect(counter.provider.bill.attempts).toBe(1)
    clock.advance(1)
    expect((await whole(counter.call(ask(), { key: 'k' }))).isReplay).toBe(false)
    expect(counter.provider.bill.attempts).toBe(2)
    expect((await counter.settled()).used.tokens).toBe(counter.provider.bill.totalTokens)
  })

  it('is not forgotten because of others: a repeated key is never charged a second time', async () => {
    const clock = fakeClock(1_700_000_000_000)
    const storage = {
      cache: memoryCache({ clock: clock.now, maxEntries: 20 }),
      budgets: memoryBudgets({ clock: clock.now, maxEnded: 20 }),
    }
    const counter = await opened(MEMORY, { clock: clock.now, storage: (kept) => ({ ...kept, ...storage }) })
    const first = await whole(counter.call(ask(), { key: 'k' }))
    for (let count = 0; count < 50; count += 1) await whole(counter.call(ask(), { key: `other ${count}` }))
    const again = await whole(counter.call(ask(), { key: 'k' }))
    expect([again.status, again.isReplay, again.text]).toEqual([200, true, first.text])
    expect(counter.provider.bill.attempts).toBe(51)
  })

  it('keeps new ones out where there is no room for more, and calls without one go on', async () => {
    const clock = fakeClock(1_700_000_000_000)
    const cache = memoryCache({ clock: clock.now, maxClaimedBytes: 3_000 })
    const counter = await opened(MEMORY, { clock: clock.now, storage: (kept) => ({ ...kept, cache }) })
    let count = 0
    let refused = await whole(counter.call(ask(), { key: 'k' }))
    while (refused.status === 200) refused = await whole(counter.call(ask(), { key: `other ${count++}` }))
    expect(count).toBeLessThan(10)
    expect([refused.status, codeOf(refused)]).toEqual([503, 'cache_full'])
    expect(refused.text).toContain('`maxClaimedBytes`')
    expect(Number(refused.headers.get('retry-after'))).toBe(86_400)
    expect((await whole(counter.call(ask(), { key: 'k' }))).isReplay).toBe(true)
    expect((await whole(counter.call(ask()))).status).toBe(200)
    clock.advance(24 * HOUR_MS)
    expect((await whole(counter.call(ask(), { key: 'new' }))).status).toBe(200)
  })

  it('is answered again as the stream it was, and the log says so', async () => {
    const counter = await opened()
    const first = await whole(counter.call(ask({ stream: true }), { key: 'k' }))
    const again = await whole(counter.call(ask({ stream: true }), { key: 'k', requestId: 'r-2' }))
    expect(again.text).toBe(first.text.replace(/"cost_micro_usd":[\d.]+,/, '"cost_micro_usd":0,'))
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect(again.isReplay).toBe(true)
    const { entries } = await counter.get<{ entries: { event: string; reservation: string }[] }>('/v1/audit')
    const [request] = entries.filter(({ event }) => event === 'inference.request')
    expect(entries.filter(({ event }) => event === 'inference.replayed')).toMatchObject([
      { subject: 'alice', requestId: 'r-2', reservation: request!.reservation },
    ])
  })

  it.each([
    ['another body', ask({ temperature: 1 }), 'chat/completions'],
    ['the same as a stream', ask({ stream: true }), 'chat/completions'],
    ['another endpoint', { ...ask(), input: 'x' }, 'embeddings'],
  ])('is 422 for %s, while it runs and afterwards', async (_, body, path) => {
    const counter = await opened()
    counter.provider.hold()
    const running = whole(counter.call(ask(), { key: 'k' }))
    await counter.provider.received(1)
    const during = await whole(counter.call(body, { key: 'k', path }))
    counter.provider.release()
    expect((await running).status).toBe(200)
    const after = await whole(counter.call(body, { key: 'k', path }))
    for (const answer of [during, after]) {
      expect([answer.status, codeOf(answer)]).toEqual([422, 'idempotency_mismatch'])
    }
    expect(counter.provider.bill.attempts).toBe(1)
    expect(counter.events.filter(({ type }) => type === 'inference.refused')).toHaveLength(2)
  })

  it("is one user's: another with the same key and body gets an answer of their own", async () => {
    const counter = await opened()
    const answers = [
      await whole(counter.call(ask(), { key: 'k' })),
      await whole(counter.call(ask(), { key: 'k', user: 'bob', pools: ['user:bob'] })),
    ]
    expect(answers.map(({ isReplay }) => isReplay)).toEqual([false, false])
    expect(answers[0]!.text).not.toBe(answers[1]!.text)
    expect(counter.provider.bill.attempts).toBe(2)
  })

  it('opens no model to a credential of the same user that may not use it', async () => {
    const counter = await opened()
    await inProcess(counter).chat(question, { idempotencyKey: 'k' })
    const narrow = counter.gateway.as({ user: 'alice', pool: 'user:alice', models: ['small'] })
    const again = narrow.chat(question, { idempotencyKey: 'k' })
    await expect(again).rejects.toMatchObject({ code: 'model_not_allowed' })
    expect(counter.provider.bill.attempts).toBe(1)
  })

  it('is the same over HTTP and in process, where it streams too', async () => {
    const counter = await opened()
    const first = await inProcess(counter).chat(question, { idempotencyKey: 'k' })
    expect(await inProcess(counter).chat(question, { idempotencyKey: 'k' })).toEqual(first)
    const words: string[] = []
    for (let times = 0; times < 2; times += 1) {
      let text = ''
      for await (const chunk of inProcess(counter).stream(question, { idempotencyKey: 's' }))
        text += chunk.choices[0]?.delta.content ?? ''
      words.push(text)
    }
    expect(words[0]).toBe(words[1])
    expect((await whole(counter.call({ ...question, stream: true }, { key: 's' }))).isReplay).toBe(true)
    expect(counter.provider.bill.attempts).toBe(2)
  })

  it.each(['', 'x'.repeat(256), 'a\tb'])('is refused where it is no key: %j', async (key) => {
    const counter = await opened()
    await expect(inProcess(counter).chat(question, { idempotencyKey: key })).rejects.toMatchObject({
      code: 'invalid_request',
      details: { param: 'Idempotency-Key' },
    })
    expect(counter.provider.bill.attempts).toBe(0)
  })
})

describe('a key whose call failed', () => {
  it('at no cost is free again: the next call is made', async () => {
    const counter = await opened()
    counter.provider.script({ status: 500, body: { error: { message: 'no', type: 'x' } } })
    counter.provider.hold()
    const calls = Array.from({ length: 10 }, () => inProcess(counter).chat(question, { idempotencyKey: 'k' }))
    const codes = Promise.allSettled(calls).then((all) =>
      all.map((one) => one.status === 'rejected' && one.reason.code),
    )
    await counter.provider.received(1)
    counter.provider.release()
    expect(new Set(await codes)).toEqual(new Set(['provider_error']))
    expect((await whole(counter.call(ask(), { key: 'k' }))).status).toBe(200)
    expect((await whole(counter.call(ask(), { key: 'k' }))).isReplay).toBe(true)
    expect(counter.provider.bill.attempts).toBe(2)
  })

  it('because it was refused is free again', async () => {
    const counter = await opened(MEMORY, { pools: { 'user:alice': { tokens: 0 }, 'user:rich': {} } })
    expect((await whole(counter.call(ask(), { key: 'k' }))).status).toBe(429)
    expect((await whole(counter.call(ask(), { key: 'k', pools: ['user:rich'] }))).status).toBe(200)
  })

  it('after it may have been billed stays failed: nobody is charged twice', async () => {
    const counter = await opened()
    counter.provider.script({ fault: 'reset-before-head' })
    const first = await whole(counter.call(ask(), { key: 'k' }))
    const again = await whole(counter.call(ask(), { key: 'k' }))
    expect(first.status).toBe(502)
    expect([again.status, again.text]).toEqual([first.status, first.text])
    expect(again.headers.get('x-should-retry')).toBe('false')
    expect(counter.provider.bill.attempts).toBe(1)
  })

  it('in mid-stream is answered with as much, and the error', async () => {
    const counter = await opened()
    counter.provider.script({ fault: 'reset', faultAfter: 6 })
    const first = await whole(counter.call(ask({ stream: true }), { key: 'k' }))
    const again = await whole(counter.call(ask({ stream: true }), { key: 'k' }))
    expect(first.text).toContain('"error"')
    expect(again.text).toBe(first.text)
    expect(counter.provider.bill.attempts).toBe(1)
  })
})

/** A cache, and when somebody in another process has said in it that they wait. */
function watched() {
  const kept = memoryCache()
  let tell = () => {}
  const wanted = new Promise<void>((resolve) => {
    tell = resolve
  })
  const cache: CacheStore = {
    ...kept,
    put(key, value, ttlMs) {
      if (key.endsWith(':wanted')) tell()
      return kept.put(key, value, ttlMs)
    },
  }
  return { cache, wanted }
}

describe('those who wait for a key', () => {
  const waiting = (counter: Till, stream: boolean, as: CallAs = {}) => {
    const leaving = new AbortController()
    const reply = counter.call(ask(stream ? { stream } : {}), { key: 'k', signal: leaving.signal, ...as })
    const answer = whole(reply)
    answer.catch(() => undefined)
    return { reply, answer, leave: () => leaving.abort() }
  }

  it.each([false, true])('may leave, the first one too, as long as one stays (stream: %s)', async (stream) => {
    const counter = await opened()
    const middle = gate()
    counter.provider.script(stream ? { holdAfter: { events: 4, gate: middle } } : { holdHead: middle })
    const first = waiting(counter, stream)
    await middle.reached
    const others = Array.from({ length: 9 }, () => waiting(counter, stream))
    if (stream) await Promise.all(others.map(({ reply }) => reply))
    else await until(() => counter.provider.requests.length === 1)
    first.leave()
    await expect(first.answer).rejects.toThrow()
    for (const other of others.slice(1)) other.leave()
    middle.open()
    const { status, text } = await others[0]!.answer
    expect(status).toBe(200)
    expect(text).toContain('five')
    expect(counter.provider.bill.attempts).toBe(1)
    expect((await counter.settled()).used.tokens).toBe(counter.provider.bill.totalTokens)
    expect(counter.vault.records()).toMatchObject([{ outcome: 'ok' }])
  })

  it.each([false, true])('end the call when the last has left; the key is spent then (stream: %s)', async (stream) => {
    const counter = await opened()
    counter.provider.script({ fault: 'hang', faultAfter: stream ? 6 : 30 })
    const all = Array.from({ length: 5 }, () => waiting(counter, stream))
    await counter.provider.received(1)
    if (stream) await Promise.all(all.map(({ reply }) => reply))
    for (const one of all) one.leave()
    await counter.provider.requests[0]!.aborted
    expect((await counter.settled()).used.tokens).toBeGreaterThan(0)
    const again = await whole(counter.call(ask(stream ? { stream } : {}), { key: 'k' }))
    expect([again.status, codeOf(again)]).toEqual([409, 'idempotency_unknown'])
    expect(counter.provider.bill.attempts).toBe(1)
  })

  it('in another process get the answer when it is there, and keep the call alive', async () => {
    const { cache, wanted } = watched()
    const here = await opened(MEMORY, { storage: (kept) => ({ ...kept, cache }) })
    const there = await opened(MEMORY, { storage: () => ({ ...here.vault.storage, cache }) })
    here.provider.hold()
    const first = waiting(here, false)
    await here.provider.received(1)
    const elsewhere = whole(there.call(ask(), { key: 'k' }))
    await wanted
    first.leave()
    await expect(first.answer).rejects.toThrow()
    here.provider.release()
    const answer = await elsewhere
    expect([answer.status, answer.isReplay]).toEqual([200, true])
    expect([here.provider.bill.attempts, there.provider.bill.attempts]).toEqual([1, 0])
  })

  it('in another process are not kept from stopping it', async () => {
    const { cache, wanted } = watched()
    const here = await opened(MEMORY, { storage: (kept) => ({ ...kept, cache }) })
    const there = await opened(MEMORY, { storage: () => ({ ...here.vault.storage, cache }) })
    here.provider.hold()
    const first = waiting(here, false)
    await here.provider.received(1)
    const elsewhere = whole(there.call(ask(), { key: 'k' }))
    await wanted
    await there.gateway.close({ timeoutMs: 0 })
    expect((await elsewhere).status).toBe(503)
    here.provider.release()
    expect((await first.answer).status).toBe(200)
  })
})
