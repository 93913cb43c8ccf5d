import { Readable } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { request } from 'undici'
import { CHAT_PATH } from '../payload.js'
import { serve, upstreamUrl } from './serve.js'

// What a team writes by hand: parse, look, stringify, forward.

const app = new Hono()
app.post(CHAT_PATH, async (c) => {
  const asked = await c.req.json()
  const answer = await request(upstreamUrl + CHAT_PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-bench' },
    body: JSON.stringify(asked),
    signal: c.req.raw.signal,
  })
  if (asked.stream !== true) return c.json(await answer.body.json())
  const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }
  return new Response(Readable.toWeb(answer.body) as ReadableStream, { headers })
})
serve(getRequestListener(app.fetch))
