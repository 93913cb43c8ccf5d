import { pipeline } from 'node:stream/promises'
import express from 'express'
import { request } from 'undici'
import { CHAT_PATH } from '../payload.js'
import { serve, upstreamUrl } from './serve.js'

// What a team writes by hand: parse, look, stringify, forward.

const app = express()
app.use(express.json({ limit: '1mb' }))
app.post(CHAT_PATH, async (req, res) => {
  const answer = await request(upstreamUrl + CHAT_PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-bench' },
    body: JSON.stringify(req.body),
  })
  if (req.body.stream !== true) {
    res.status(answer.statusCode).json(await answer.body.json())
    return
  }
  res.writeHead(answer.statusCode, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  await pipeline(answer.body, res).catch(() => res.destroy())
})
serve(app)
