import { expect } from 'vitest'
import { type Case, question } from '../case.js'

export const PATHS: readonly Case[] = [
  {
    name: "a path that hoosh does not know is the host's, or a JSON 404 where there is no host behind",
    async run({ mount, send }) {
      for (const path of ['/v1/nothing', '/v1', '/v1/chat/completions/x', '/v2/models']) {
        const response = await send(path)
        const text = await response.text()
        expect(response.status).toBe(404)
        if (mount.hasNext) expect(text).toBe('a page of the host')
        else if (path.startsWith('/v1/')) expect(JSON.parse(text).error).toMatchObject({ code: 'not_found' })
      }
    },
  },
  {
    name: 'a client of another API is told where models are asked, unless there is a host behind',
    async run({ mount, send }) {
      for (const path of ['/v1/responses', '/v1/completions', '/v1/messages']) {
        const response = await send(path, { body: { model: 'm', input: 'Hello' } })
        const text = await response.text()
        expect(response.status).toBe(404)
        if (mount.hasNext) expect(text).toBe('a page of the host')
        else {
          expect(JSON.parse(text).error).toMatchObject({
            code: 'not_found',
            type: 'invalid_request_error',
            message: expect.stringMatching(/ POST \/v1\/chat\/completions, .*\.chat\(model\)/),
          })
        }
      }
    },
  },
  {
    name: 'a query and names with slashes in them arrive as they were sent',
    async run({ send }) {
      const one = await send('/v1/models/org%2Fmodel?unused=%20')
      expect(await one.json()).toMatchObject({ id: 'org/model', object: 'model' })
      expect((await send('/v1/costs?from=2026%2D01%2D01')).status).toBe(200)
      expect((await send('/v1/costs?from=2026%2501%2501')).status).toBe(400)
    },
  },
  {
    name: 'two gateways below paths of one app share nothing',
    async run({ send, provider }) {
      const call = (path: string) => send(`${path}/v1/chat/completions`, { plan: 'many', body: question() })
      const used = async (path: string) => {
        const [pool] = (await (await send(`${path}/v1/tokens/pools`, { plan: 'many' })).json()) as [{ used: number }]
        return pool.used
      }
      for (const path of ['/a', '/b', '/a']) expect((await call(path)).status).toBe(200)
      const keys = provider.requests.map(({ headers }) => headers.authorization)
      expect(keys).toEqual(['Bearer sk-a', 'Bearer sk-b', 'Bearer sk-a'])
      const each = provider.bill.perAttempt.map(({ promptTokens, completionTokens }) => promptTokens + completionTokens)
      expect([await used('/a'), await used('/b')]).toEqual([each[0]! + each[2]!, each[1]])
    },
  },
  {
    name: 'a front page is shadowed at no root, and served below a path',
    async run({ send, mount }) {
      const page = await send('/')
      expect(page.status).toBe(404)
      if (mount.hasNext) expect(await page.text()).toBe('a page of the host')
      expect((await send('/a/', { plan: 'many' })).status).toBe(200)
    },
  },
]
