import { expect, it } from 'vitest'
import { codeBlocks, documents } from '../house/documents.js'
import { door } from '../support/door.js'

/** Requests with a body, as the documents have somebody type them, in their order. */
const typed = documents.flatMap((document) =>
  codeBlocks(document, 'sh').flatMap(({ code }) =>
    [...code.replaceAll(/\\\n\s*/g, '').matchAll(/^curl .*?localhost:\d+(\/v1\S*).*? -d '([^']+)'/gm)].map(
      ([, path, body]) => ({ document, path: path!, body: body! }),
    ),
  ),
)

it('what the documents have somebody send is taken, as the options beside it are', async () => {
  expect(typed.length).toBeGreaterThan(8)
  const to = await door(
    {
      providers: [{ type: 'demo', models: ['*'] }],
      pools: { 'user:*': { tokens: 100_000 } },
      prices: { '*': { input: '1', output: '1' } },
      keys: { selfService: true, longestMs: 90 * 86_400_000 },
    },
    {
      identify: (request) => {
        const { url } = request as { url: string }
        return { user: 'ada', pool: 'user:ada', roles: /credits|refunds/.test(url) ? ['admin'] : [] }
      },
    },
  )
  let reservation = ''
  const told: string[] = []
  for (const { document, path, body } of typed) {
    const sent = body
      .replace('[...]', '[{"role":"user","content":"Hello!"}]')
      .replace(/("reservation_id":)"[^"]*"/, `$1"${reservation}"`)
    const reply = await to.send('POST', path, { body: sent })
    const { reservation_id = reservation } = reply.body as { reservation_id?: string }
    reservation = reservation_id
    if (reply.status > 201) told.push(`${document}: ${path} ${body}: ${reply.status} ${reply.text}`)
  }
  expect(told).toEqual([])
})
