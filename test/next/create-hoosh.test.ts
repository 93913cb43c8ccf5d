import { createHoosh, type NextOptions } from '@hoosh/next'
import { afterEach, describe, expect, it, vi } from 'vitest'

const made = new Set<ReturnType<typeof createHoosh>['gateway']>()

/** As a module that is evaluated, once or again. */
function evaluate(options: NextOptions = {}) {
  const ai = createHoosh({ logger: false, providers: [{ type: 'demo' }], ...options })
  made.add(ai.gateway)
  return ai
}

afterEach(async () => {
  vi.unstubAllEnvs()
  await Promise.all([...made].map((gateway) => gateway.close()))
  made.clear()
  Reflect.deleteProperty(globalThis, Symbol.for('@hoosh/next'))
})

const ann = { user: 'ann', pool: 'user:ann', roles: ['admin'] }
const hello = { model: 'demo', messages: [{ role: 'user' as const, content: 'hello' }] }
const leftOf = async (ai: ReturnType<typeof createHoosh>) => (await ai.gateway.as(ann).budget.available()).tokens

describe('a module that is evaluated again', () => {
  const pools = (tokens: number): NextOptions => ({ pools: { 'user:*': { tokens } } })

  it('has the same gateway where its options say the same, and what was spent stays spent', async () => {
    const first = evaluate(pools(1_000))
    await first.gateway.as(ann).chat(hello)
    const second = evaluate(pools(1_000))
    expect(second.gateway).toBe(first.gateway)
    expect(await leftOf(second)).toBeLessThan(1_000)
  })

  it('goes by its newest options, also where the older handlers are still in use', async () => {
    const first = evaluate(pools(1_000))
    const second = evaluate(pools(5_000))
    expect([await leftOf(first), await leftOf(second)]).toEqual([5_000, 5_000])
    expect(first.gateway).toBe(second.gateway)
  })

  it('goes by its newest functions, which nobody can compare', async () => {
    const first = evaluate({ pools: () => ({ tokens: 1_000 }) })
    const second = evaluate({ pools: () => ({ tokens: 2_000 }) })
    expect([await leftOf(first), await leftOf(second)]).toEqual([2_000, 2_000])
  })

  it('asks its newest `identify`, on the gateway that it keeps', async () => {
    const options = pools(1_000)
    const first = evaluate({ ...options, identify: () => ({ user: 'old' }) })
    const second = evaluate({ ...options, identify: () => ({ user: 'new' }) })
    expect(second.gateway).toBe(first.gateway)
    const context = await first.context(new Request('http://app/'))
    expect(await context.identity()).toEqual({ user: 'new' })
  })

  it('lets a call that is under way finish on the old gateway, and closes it then', async () => {
    const first = evaluate(pools(1_000))
    const { gateway } = first
    const words = gateway
      .as(ann)
      .stream({ ...hello, model: 'demo-slow', max_tokens: 3 })
      [Symbol.asyncIterator]()
    await words.next()
    evaluate(pools(2_000))
    await expect(gateway.as(ann).chat(hello)).rejects.toMatchObject({ code: 'shutting_down' })
    let last = await words.next()
    for (let next = last; next.done !== true; next = await words.next()) last = next
    expect(last.value).toMatchObject({ choices: [{ finish_reason: expect.any(String) }] })
  })

  it('keeps the first gateway in production: there it is evaluated once for routes and once for pages', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    const first = evaluate({ pools: () => ({ tokens: 1_000 }) })
    const second = evaluate({ pools: () => ({ tokens: 1_000 }) })
    expect(second.gateway).toBe(first.gateway)
  })

  it('has one gateway for each base path', async () => {
    const [root, below] = [evaluate(pools(1_000)), evaluate({ ...pools(2_000), basePath: '/ai' })]
    expect([await leftOf(root), await leftOf(below)]).toEqual([1_000, 2_000])
  })
})

describe('a gateway in Next', () => {
  const writerOf = async (options: NextOptions) => {
    const log = await evaluate(options).gateway.as(ann).fetch('http://hoosh/v1/audit')
    return log.status === 200
      ? Object.keys(((await log.json()) as { verified_through: object }).verified_through)
      : log.status
  }

  it('shares its audit chain with other processes unless it is told not to', async () => {
    const verified = (options: NextOptions) =>
      vi.waitFor(async () => {
        const [writer] = (await writerOf(options)) as string[]
        expect(writer).toBeDefined()
        return writer
      })
    expect(await verified({})).toBe('shared/unsigned')
    expect(await verified({ audit: { node: 'web', chain: 'process' } })).toMatch(/^web\//)
    expect(await writerOf({ audit: false })).toBe(404)
  })

  it('says what is wrong with its options when it is made', () => {
    expect(() => evaluate({ basePath: 'ai' })).toThrow(/basePath has to begin with a slash/)
  })

  it('without `identify` knows nobody, and says what to do', async () => {
    const { identity } = await evaluate().context(new Request('http://app/'))
    await expect(identity()).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('`identify`'),
    })
  })

  it('has no context outside of a request, which is what Next says of it', async () => {
    await expect(evaluate().context()).rejects.toThrow(/outside a request scope/)
  })
})

it('answers outside of Next too, as where a host tests its own route', async () => {
  const { handlers } = evaluate({ identify: () => ann })
  const response = await handlers.GET(new Request('http://app/v1/models/demo'))
  expect([response.status, await response.json()]).toMatchObject([200, { id: 'demo' }])
})
