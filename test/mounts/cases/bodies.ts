import { once } from 'node:events'
import { expect } from 'vitest'
import { type Case, question, type Scene, SMALL_BYTES } from '../case.js'
import { dial, head, piece, readAnswer } from '../wire.js'

/** A prompt whose letters need more than one byte, so that no length is right by chance. */
const wide = (length: number) => [{ role: 'user', content: 'ü–'.repeat(length) }]

async function arrives({ provider, chat }: Scene, options: Parameters<Scene['chat']>[1] = {}): Promise<void> {
  const messages = wide(1_000)
  expect((await chat({ messages, seed: 7 }, options)).status).toBe(200)
  expect(provider.requests[0]!.body).toMatchObject({ model: 'gpt-4o', seed: 7, messages })
}

function form(): FormData {
  const data = new FormData()
  data.set('model', 'gpt-4o')
  data.set('file', new Blob(['bytes']), 'file.bin')
  return data
}

const upload = (user: string) => ({ authorization: `Bearer ${user}-token`, 'content-type': 'application/json' })

export const BODIES: readonly Case[] = [
  { name: 'a body that nobody has read', run: (scene) => arrives(scene) },
  { name: 'a body that the host has parsed', run: (scene) => arrives(scene, { plan: 'parsed' }) },
  { name: 'a body that the host keeps as it came', run: (scene) => arrives(scene, { plan: 'raw' }) },
  {
    name: 'multipart is no JSON: 415, whether or not parsers passed by',
    async run({ send, provider }) {
      for (const plan of ['plain', 'parsed'] as const) {
        const response = await send('/v1/chat/completions', { plan, body: form() })
        expect(response.status).toBe(415)
        expect(await response.json()).toMatchObject({ error: { code: 'unsupported_media_type' } })
      }
      expect(provider.bill.attempts).toBe(0)
    },
  },
  {
    name: 'a body in pieces, without a length',
    async run({ app, user, provider }) {
      const socket = await dial((await app('plain')).url)
      socket.write(head('POST', '/v1/chat/completions', { ...upload(user), 'transfer-encoding': 'chunked' }))
      const text = JSON.stringify(question({ messages: wide(100) }))
      for (let at = 0; at < text.length; at += 50) socket.write(piece(text.slice(at, at + 50)))
      socket.write('0\r\n\r\n')
      expect((await readAnswer(socket)).head).toMatch(/^http\/1\.1 200 /)
      expect(provider.requests[0]!.body).toMatchObject({ messages: wide(100) })
      socket.destroy()
    },
  },
  {
    name: 'a body of some megabytes',
    async run({ chat, provider }) {
      const messages = wide(500_000)
      expect((await chat({ messages })).status).toBe(200)
      expect(provider.requests[0]!.body).toMatchObject({ messages })
    },
  },
  {
    name: 'a body that announces more than the limit is refused before it is sent',
    async run({ app, user, provider }) {
      const socket = await dial((await app('many')).url)
      socket.write(head('POST', '/small/v1/chat/completions', { ...upload(user), 'content-length': SMALL_BYTES + 1 }))
      const answer = await readAnswer(socket)
      expect(answer.head).toMatch(/^http\/1\.1 413 /)
      expect(answer.body).toContain('body_too_large')
      socket.destroy()
      expect(provider.bill.attempts).toBe(0)
    },
  },
  {
    name: 'a body that grows beyond the limit is refused, although its client still sends',
    async run({ app, user, provider }) {
      const socket = await dial((await app('many')).url)
      socket.write(head('POST', '/small/v1/chat/completions', { ...upload(user), 'transfer-encoding': 'chunked' }))
      for (let sent = 0; sent <= SMALL_BYTES; sent += 1_000) socket.write(piece('x'.repeat(1_000)))
      const answer = await readAnswer(socket)
      expect(answer.head).toMatch(/^http\/1\.1 413 /)
      expect(answer.body).toContain('body_too_large')
      socket.destroy()
      expect(provider.bill.attempts).toBe(0)
    },
  },
  {
    name: 'an upload that breaks off reaches no provider and holds nothing',
    async run({ app, user, provider, pool, chat }) {
      const socket = await dial((await app('plain')).url)
      socket.write(head('POST', '/v1/chat/completions', { ...upload(user), 'content-length': 1_000 }))
      socket.write('{"model":"gpt-4o",')
      await new Promise((resolve) => setImmediate(resolve))
      socket.destroy()
      await once(socket, 'close')
      expect((await chat()).status).toBe(200) // by now the app has seen it go
      expect(provider.bill.attempts).toBe(1)
      expect(await pool()).toMatchObject({ reserved: 0, used: provider.bill.totalTokens })
    },
  },
]
