import { once } from 'node:events'
import { expect } from 'vitest'
import { ROUTES } from '../../../packages/core/src/routes/all.js'
import { randomFrom } from '../../support/random.js'
import type { Case } from '../case.js'
import { dial, head } from '../wire.js'

const LONG = process.env.HOOSH_LONG === '1'
/** On each mount, so that eight of them make 2,000, or 20,000. */
const REQUESTS = LONG ? 2_500 : 250
const SEED = Number(process.env.HOOSH_SEED ?? Date.now() % 1_000_000_000)

/** Every route that a form could be sent to; some read no body, whatever comes. */
const PATHS = ROUTES.filter(({ method }) => method === 'POST' || method === 'PUT').map(({ method, path }) => ({
  method,
  path: path.replace(/[:*]\w+/g, 'x'),
}))

type Random = ReturnType<typeof randomFrom>

const TYPES = ['multipart/form-data', 'Multipart/Form-Data', 'multipart/mixed', 'multipart/related', 'multipart/']
const BOUNDARIES = [
  '; boundary=b',
  '; boundary="b"',
  '; boundary=',
  '',
  '; boundary=b; boundary=c',
  `; boundary=${'b'.repeat(70)}`,
  ';;;',
  '; boundary="b',
]
const NAMES = ['model', 'messages', 'file', '__proto__', '', 'constructor', 'a"b', 'ü', 'n'.repeat(8_192)]
const LINES = ['\r\n', '\r\n', '\r\n', '\n', '\r', '']
const PART_TYPES = [
  '',
  'content-type: application/json',
  'content-type: multipart/mixed; boundary=b',
  'content-transfer-encoding: base64',
  'x: \u0001',
]

/** A form as no browser would send it: parts by the dozen, one within another, without ends, with names of any length. */
function formOf({ between, chance, pick }: Random): string {
  const end = pick(LINES)
  const count = chance(0.02) ? 5_000 : between(0, 6)
  let form = chance(0.1) ? 'preamble' : ''
  for (let part = 0; part < count; part += 1) {
    form += `--b${end}content-disposition: form-data; name="${pick(count > 6 ? NAMES.slice(0, 6) : NAMES)}"`
    form += `${chance(0.3) ? '; filename="../../etc/passwd"' : ''}${end}${pick(PART_TYPES)}${end}${end}`
    form += chance(0.1)
      ? `{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}${end}`
      : `${'x'.repeat(between(0, 200))}${end}`
  }
  return form + (chance(0.7) ? `--b--${end}` : '')
}

export const MULTIPART: readonly Case[] = [
  {
    name: 'forms of any shape are refused on every route that takes a body, and reach no provider',
    timeoutMs: LONG ? 1_800_000 : 180_000,
    async run({ app, provider }) {
      const { url } = await app('plain')
      const random = randomFrom(SEED)
      const send = async ({ method, path }: (typeof PATHS)[number], type: string, body: string) => {
        const headers = { authorization: 'Bearer admin-token', 'content-type': type }
        const response = await fetch(`${url}${path}`, { method, body, headers })
        return { status: response.status, text: await response.text() }
      }
      const readers = new Set<string>()
      for (const to of PATHS) if ((await send(to, 'application/json', '{')).status === 400) readers.add(to.path)
      expect(readers.size).toBeGreaterThan(10)
      for (let sent = 0; sent < REQUESTS; sent += 1) {
        const to = PATHS[sent % PATHS.length]!
        const isForm = random.chance(0.9)
        const type = isForm ? random.pick(TYPES) + random.pick(BOUNDARIES) : 'application/json; boundary=b'
        const body = formOf(random)
        const { status, text } = await send(to, type, body)
        const told = { seed: SEED, sent, ...to, type, body: body.slice(0, 200), text: text.slice(0, 200) }
        expect(status, JSON.stringify(told)).toBeLessThan(500)
        expect(text).not.toContain('passwd')
        if (readers.has(to.path) && body !== '')
          expect({ ...told, status }).toEqual({ ...told, status: isForm ? 415 : 400 })
      }
      expect(provider.requests).toEqual([])
    },
  },
  {
    name: 'a form that breaks off keeps nobody waiting',
    async run({ app, chat }) {
      const { url } = await app('plain')
      for (const { method, path } of PATHS) {
        const socket = (await dial(url)).on('error', () => {})
        const type = 'multipart/form-data; boundary=b'
        socket.write(
          head(method, path, { authorization: 'Bearer admin-token', 'content-type': type, 'content-length': '100000' }),
        )
        socket.write('--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n')
        await once(socket, 'data')
        socket.destroy()
      }
      expect((await chat()).status).toBe(200)
    },
  },
]
