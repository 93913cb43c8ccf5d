import { once } from 'node:events'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import express, { type Response } from 'express'
import { CHAT_PATH } from '../payload.js'
import { serve, upstreamUrl } from './serve.js'

const provider = createOpenAICompatible({
  name: 'fake',
  baseURL: `${upstreamUrl}/v1`,
  apiKey: 'sk-bench',
  includeUsage: true,
})

const app = express()
app.use(express.json({ limit: '1mb' }))
app.post(CHAT_PATH, async (req, res) => {
  const [system, user] = req.body.messages
  const call = {
    model: provider(req.body.model),
    system: system.content as string,
    messages: [{ role: 'user' as const, content: user.content as string }],
    temperature: req.body.temperature,
    maxOutputTokens: req.body.max_tokens,
    maxRetries: 0,
  }
  if (req.body.stream === true) return relay(res, call, req.body.model)
  const { text, finishReason, usage } = await generateText(call)
  res.json({
    object: 'chat.completion',
    model: req.body.model,
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: finishReason }],
    usage: wireUsage(usage),
  })
})
serve(app)

async function relay(res: Response, call: Parameters<typeof streamText>[0], model: string): Promise<void> {
  const upstream = new AbortController()
  res.on('close', () => upstream.abort())
  const result = streamText({ ...call, abortSignal: upstream.signal, onError: () => {} })
  const write = async (fields: object): Promise<void> => {
    const event = `data: ${JSON.stringify({ object: 'chat.completion.chunk', model, ...fields })}\n\n`
    if (!res.write(event)) await once(res, 'drain')
  }
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  for await (const content of result.textStream) {
    await write({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })
  }
  if (upstream.signal.aborted) return
  await write({ choices: [], usage: wireUsage(await result.usage) })
  res.end('data: [DONE]\n\n')
}

function wireUsage(usage: { inputTokens: number | undefined; outputTokens: number | undefined }): object {
  const { inputTokens = 0, outputTokens = 0 } = usage
  return { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens }
}
