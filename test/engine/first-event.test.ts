import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGateway } from '@hoosh/core'
import { hoosh } from '@hoosh/express'
import compression from 'compression'
import express from 'express'
import express4 from 'express4'
import { describe, expect, it } from 'vitest'
import { identify, people, serve } from '../support/mounts.js'

const chunk = (content: string, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('behind compression() and express.json() on %s', (_name, framework) => {
  it('the first event arrives before the provider has sent its second', async () => {
    let sendRest: () => void = () => {}
    const upstream = createServer((req, res) => {
      req.resume().on('end', () => {
        res.writeHead(200, { 'content-type': 'text/event-stream' })
        res.write(chunk('one'))
        sendRest = () => res.end(`${chunk('two', 'stop')}data: [DONE]\n\n`)
      })
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const baseUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
    const gateway = createGateway({
      providers: [{ type: 'openai', baseUrl, local: true }],
      pools: { 'user:*': {} },
      logger: false,
    })
    const app = framework()
      .use(compression({ threshold: 0 }))
      .use(framework.json())
      .use(hoosh(gateway, { identify }))
    const served = await serve(app)
    const reply = await fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] }),
    })
    const reader = reply.body!.getReader()
    const first = Buffer.from((await reader.read()).value!).toString()
    expect(first).toContain('"one"')
    sendRest()
    let rest = ''
    for (let part = await reader.read(); !part.done; part = await reader.read())
      rest += Buffer.from(part.value).toString()
    expect(rest).toMatch(/"two"[\s\S]*data: \[DONE\]\n\n$/)
    await served.close()
    await gateway.close()
    upstream.closeAllConnections()
    upstream.close()
  })
})
