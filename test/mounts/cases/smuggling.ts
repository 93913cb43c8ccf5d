import { expect } from 'vitest'
import { type Case, question } from '../case.js'
import { dial } from '../wire.js'

/** Heads that servers have read differently: RFC 9112, 6.3 and 11.2. `BODY` is the length of the body. */
const DOUBTFUL: readonly (readonly [what: string, headers: string])[] = [
  ['a length and chunks', 'Content-Length: BODY\r\nTransfer-Encoding: chunked'],
  ['chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: BODY'],
  ['two lengths', 'Content-Length: BODY\r\nContent-Length: 0'],
  ['a list of lengths', 'Content-Length: BODY, 0'],
  ['a length with a sign', 'Content-Length: +BODY'],
  ['chunks that are none', 'Transfer-Encoding: xchunked'],
  ['chunks that are not last', 'Transfer-Encoding: chunked, identity'],
  ['a blank before the colon', 'Transfer-Encoding : chunked\r\nContent-Length: BODY'],
  ['a folded line', 'Content-Length: BODY\r\nTransfer-Encoding:\r\n chunked'],
  ['a line feed alone', 'Content-Length: 0\nTransfer-Encoding: chunked'],
]

export const SMUGGLING: readonly Case[] = [
  {
    name: 'a request whose end is in doubt reaches no provider, nor does what hides behind it',
    async run({ app, provider, user }) {
      const { url } = await app('plain')
      const body = JSON.stringify(question())
      const hidden = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${user}-token\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      for (const [what, headers] of DOUBTFUL) {
        const socket = await dial(url)
        const head = [
          'POST /v1/chat/completions HTTP/1.1',
          `Host: ${new URL(url).host}`,
          `Authorization: Bearer ${user}-token`,
          'Content-Type: application/json',
          headers.replaceAll('BODY', String(body.length)),
        ]
        let answer = ''
        const closed = new Promise<void>((resolve) => {
          socket.setTimeout(1_000, () => socket.destroy())
          socket.on('data', (chunk) => (answer += chunk.toString('latin1')))
          socket.on('error', () => {})
          socket.on('close', () => resolve())
        })
        socket.write(`${head.join('\r\n')}\r\n\r\n0\r\n\r\n${hidden}`)
        await closed
        const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status))
        expect(
          statuses.every((status) => status >= 400 && status < 500),
          `${what}: ${answer.slice(0, 200)}`,
        ).toBe(true)
        expect(provider.requests, what).toEqual([])
      }
    },
  },
]
