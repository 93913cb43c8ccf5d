import { gate, type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { plansFor, question } from '../mounts/case.js'
import { type App, type Mount, PREPARE_MS } from '../mounts/plan.js'

const headers = { authorization: 'Bearer admin-token', 'content-type': 'application/json' }

/** What only an app of Next.js has: a build, pages, server actions. */
export function testInNext(mount: Mount): void {
  describe(`an app in ${mount.name}`, () => {
    let provider: ScriptedProvider
    let app: App
    beforeAll(async () => {
      await mount.prepare?.()
      provider = await scriptedProvider()
      app = await mount.start(plansFor(provider.url).plain)
    }, PREPARE_MS)
    afterAll(async () => {
      await app.close()
      await provider.close()
    })
    const get = (path: string) => fetch(`${app.url}${path}`, { headers })
    const chat = (more: object, signal?: AbortSignal) => {
      const body = JSON.stringify(question({ ...more }))
      return fetch(`${app.url}/v1/chat/completions`, { method: 'POST', headers, body, ...(signal && { signal }) })
    }

    it('was built without its secret; started without it, it serves nobody', async () => {
      const bare = await mount.start({ gateways: [] })
      const response = await fetch(`${bare.url}/v1/models`, { headers })
      expect(response.status).toBe(503)
      const { error } = (await response.json()) as { error: { code: string; message: string } }
      expect(error.code).toBe('not_ready')
      expect(error.message).not.toContain('SECRET_OF_THE_HOST')
      await bare.close()
    })

    it('has one gateway for its routes, its pages and its server actions', async () => {
      const page = async () => (await get('/action')).text()
      const usedOf = (html: string) => Number(/<output>(\d+)/.exec(html)?.[1])
      await (await chat({})).text()
      const before = await page()
      expect(usedOf(before)).toBe(provider.bill.totalTokens)
      const form = new FormData()
      form.set(/name="(\$ACTION_ID_\w+)"/.exec(before)![1]!, '')
      form.set('text', 'a text')
      const { authorization } = headers
      const after = await fetch(`${app.url}/action`, { method: 'POST', headers: { authorization }, body: form })
      expect(usedOf(await after.text())).toBe(provider.bill.totalTokens)
      expect(provider.requests.at(-1)!.body).toMatchObject({ messages: [{ content: 'a text' }] })
    })

    it('writes one audit chain, which other processes could share', async () => {
      const log = (await (await get('/v1/audit')).json()) as { chain_valid: boolean; entries: object[] }
      expect(log).toMatchObject({ chain_valid: true, entries: [{ event: 'audit.boot' }, {}, {}, {}, {}] })
      expect(log.entries[0]).toMatchObject({ integrity: { writer: 'shared/unsigned', seq: 1 } })
    })

    it('leaks no handle: after 200 streams, a third of them left, as many are open as after none', async () => {
      const handles = async () => (await (await get('/handles')).json()) as Record<string, number>
      const round = async (streams: number) => {
        const rest = gate()
        provider.script({ times: streams, tokens: 20, holdAfter: { events: 4, gate: rest } })
        await Promise.all(
          Array.from({ length: streams }, async (_, index) => {
            const leaving = new AbortController()
            const response = await chat({ stream: true }, leaving.signal)
            if (index % 3 === 0) return leaving.abort()
            rest.open()
            expect(await response.text()).toContain('data: [DONE]')
          }),
        )
      }
      // Connections that are kept for the next call are closed after some seconds; this one asks.
      const isIdle = () =>
        expect.poll(async () => (await handles()).TCPSocketWrap, { timeout: 20_000, interval: 200 }).toBe(1)
      await round(3)
      await isIdle()
      const before = await handles()
      await round(200)
      await isIdle()
      expect(await handles()).toEqual(before)
      const [pool] = (await (await get('/v1/tokens/pools')).json()) as [{ reserved: number }]
      expect(pool.reserved).toBe(0)
    }, 60_000)
  })
}
