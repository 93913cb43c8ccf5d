import { gate } from '@hoosh/core/testing'
import { expect } from 'vitest'
import { type Case, question, type Scene } from '../case.js'
import { dial, head, readAnswer } from '../wire.js'

/** How a stream's text looks when it is whole. */
const WHOLE = /^data: .*"delta":\{"role":"assistant"[\s\S]*" one"[\s\S]*data: \[DONE\]\n\n$/

/** Reads a stream whose provider waits after its first event until that has arrived. */
async function firstEventFirst(
  { provider, chat }: Scene,
  options: Parameters<Scene['chat']>[1] = {},
): Promise<Response> {
  const second = gate()
  provider.script({ tokens: 3, holdAfter: { events: 1, gate: second } })
  const response = await chat({ stream: true }, options)
  const reader = response.body!.getReader()
  const first = Buffer.from((await reader.read()).value!).toString()
  expect(first).toContain('"role":"assistant"')
  expect(first).not.toContain('" one"')
  second.open()
  let rest = first
  for (let part = await reader.read(); !part.done; part = await reader.read())
    rest += Buffer.from(part.value).toString()
  expect(rest).toMatch(WHOLE)
  return response
}

export const ANSWERS: readonly Case[] = [
  {
    name: 'a plain answer has its length, its usage and its headers',
    async run({ mount, provider, chat, pool }) {
      const response = await chat()
      const text = await response.text()
      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toMatch(/^application\/json/)
      const length = mount.dropsLength === true ? null : String(Buffer.byteLength(text))
      expect(response.headers.get('content-length')).toBe(length)
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('x-hoosh-route')).toBe('openai')
      expect(JSON.parse(text).usage).toMatchObject({ total_tokens: provider.bill.totalTokens, provider: 'openai' })
      expect(await pool()).toMatchObject({ used: provider.bill.totalTokens, reserved: 0 })
    },
  },
  {
    name: 'a stream is whole, and nobody may change it on the way',
    async run({ chat }) {
      const response = await chat({ stream: true })
      expect(await response.text()).toMatch(WHOLE)
      expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
      expect(response.headers.get('cache-control')).toBe('no-cache, no-transform, no-store')
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('content-encoding')).toBeNull()
    },
  },
  {
    name: 'the first event arrives before the second is sent',
    run: async (scene) => void (await firstEventFirst(scene)),
  },
  {
    name: 'behind compression a plain answer may shrink, a stream still arrives event by event',
    async run(scene) {
      const plain = await scene.chat({}, { plan: 'compressed', headers: { 'accept-encoding': 'gzip' } })
      expect(await plain.json()).toMatchObject({ object: 'chat.completion' })
      const stream = await firstEventFirst(scene, { plan: 'compressed', headers: { 'accept-encoding': 'gzip' } })
      expect(stream.headers.get('content-encoding')).toBeNull()
    },
  },
  {
    name: "an error has OpenAI's shape, its status and the caller's request id",
    async run({ provider, send, chat }) {
      const headers = { 'x-request-id': 'case-7' }
      const unknown = await send('/v1/models/none', { headers })
      expect([unknown.status, unknown.headers.get('x-request-id')]).toEqual([404, 'case-7'])
      expect(await unknown.json()).toMatchObject({ error: { code: 'model_not_found', type: 'invalid_request_error' } })
      provider.script({ status: 429, headers: { 'retry-after': '7' } })
      const limited = await chat()
      expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '7'])
    },
  },
  {
    name: 'HEAD is GET without the body; on a route without GET it is 405',
    async run({ mount, app, send, user }) {
      const whole = await (await send('/v1/models')).text()
      const socket = await dial((await app('plain')).url)
      const headers = { authorization: `Bearer ${user}-token` }
      socket.write(head('HEAD', '/v1/models', headers))
      const first = await readAnswer(socket, { hasBody: false })
      expect(first.head).toMatch(/^http\/1\.1 200 /)
      if (!mount.dropsLength) expect(first.head).toContain(`content-length: ${Buffer.byteLength(whole)}`)
      socket.write(head('GET', '/v1/models', headers)) // a body after HEAD would come before this answer
      const { body } = await readAnswer(socket)
      expect(first.body + (mount.dropsLength ? body.replace(/^\w+\r\n|\r\n0\r\n\r\n$/g, '') : body)).toBe(whole)
      socket.destroy()
      const refused = await send('/v1/chat/completions', { method: 'HEAD' })
      expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'POST'])
    },
  },
  {
    name: "OPTIONS is the host's where CORS is not configured, else a preflight",
    async run({ mount, send }) {
      const ask = { method: 'OPTIONS', headers: { origin: 'https://app.test', authorization: '' } }
      const unasked = await send('/v1/chat/completions', ask)
      expect(unasked.headers.get('access-control-allow-origin')).toBeNull()
      if (mount.hasNext) expect(await unasked.text()).toBe('a page of the host')
      else expect(unasked.status).toBe(405)
      const preflight = await send('/cors/v1/chat/completions', { ...ask, plan: 'many' })
      expect(preflight.status).toBe(204)
      expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.test')
      expect(preflight.headers.get('access-control-allow-methods')).toContain('POST')
    },
  },
  {
    name: 'one connection carries plain answers, refusals and streams, one after the other',
    async run({ app, user }) {
      const socket = await dial((await app('many')).url)
      const post = async (body: string, path = '/small/v1/chat/completions') => {
        const headers = { authorization: `Bearer ${user}-token`, 'content-type': 'application/json' }
        socket.write(head('POST', path, { ...headers, 'content-length': Buffer.byteLength(body) }) + body)
        return readAnswer(socket)
      }
      expect((await post(JSON.stringify(question()))).head).toMatch(/^http\/1\.1 200 /)
      expect((await post('x'.repeat(30_000))).head).toMatch(/^http\/1\.1 413 /)
      expect((await post('{')).head).toMatch(/^http\/1\.1 400 /)
      expect((await post(JSON.stringify(question({ stream: true })))).body).toContain('data: [DONE]')
      expect((await post(JSON.stringify(question()))).body).toContain('"chat.completion"')
      socket.destroy()
    },
  },
]
