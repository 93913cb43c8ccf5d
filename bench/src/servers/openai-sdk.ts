import { once } from 'node:events'
import express from 'express'
import OpenAI from 'openai'
import { CHAT_PATH } from '../payload.js'
import { serve, upstreamUrl } from './serve.js'

const client = new OpenAI({ baseURL: `${upstreamUrl}/v1`, apiKey: 'sk-bench', maxRetries: 0 })

const app = express()
app.use(express.json({ limit: '1mb' }))
app.post(CHAT_PATH, async (req, res) => {
  if (req.body.stream !== true) {
    res.json(await client.chat.completions.create(req.body))
    return
  }
  const upstream = new AbortController()
  res.on('close', () => upstream.abort())
  const stream = await client.chat.completions.create(req.body as OpenAI.ChatCompletionCreateParamsStreaming, {
    signal: upstream.signal,
  })
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  for await (const chunk of stream) {
    if (!res.write(`data: ${JSON.stringify(chunk)}\n\n`)) await once(res, 'drain')
  }
  res.end('data: [DONE]\n\n')
})
serve(app)
