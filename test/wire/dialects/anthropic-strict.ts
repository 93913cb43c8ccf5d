import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { type LoopDialect, PIXEL, ROUNDS, type StrictServer } from './loop.js'

type Block = Record<string, unknown> & { type: string }

interface Asked {
  readonly model: string
  readonly stream?: boolean
  readonly max_tokens?: number
  readonly thinking?: { type: string; budget_tokens: number }
  readonly messages: { role: string; content: Block[] }[]
}

const API_KEY = 'sk-ant-of-the-route'

/** The turn of a round: thinking with its signature, what is said, the calls. */
function turnOf(round: number, conversation: string): Block[] {
  const { thinking, text, calls } = ROUNDS[round]!
  return [
    { type: 'thinking', thinking, signature: `${conversation}-${round}` },
    ...(round === 1 ? [{ type: 'redacted_thinking', data: `${conversation}-secret` }] : []),
    ...(text === '' ? [] : [{ type: 'text', text }]),
    ...calls.map((call, index) => ({
      type: 'tool_use',
      id: `toolu_${conversation}_${round}_${index}`,
      name: call.name,
      input: call.arguments,
    })),
  ]
}

/** What is wrong with a request, or how many pictures it shows. */
function checked(
  req: IncomingMessage,
  { messages, thinking, max_tokens }: Asked,
  conversation: string,
): string | number {
  if (req.headers['x-api-key'] !== API_KEY || 'authorization' in req.headers) return 'the key has to be in x-api-key'
  if (req.headers['anthropic-version'] !== '2023-06-01') return 'anthropic-version: required'
  if (thinking?.type !== 'enabled' || !(thinking.budget_tokens < max_tokens!)) return 'thinking: must fit max_tokens'
  let images = 0
  for (const [index, { role, content }] of messages.entries()) {
    if (role !== (index % 2 === 0 ? 'user' : 'assistant')) return `messages.${index}: roles must alternate`
    if (role === 'assistant') {
      const issued = turnOf((index - 1) / 2, conversation)
      if (!isDeepStrictEqual(content, issued)) return `messages.${index}: not what was said: ${JSON.stringify(content)}`
      continue
    }
    if (index === 0) continue
    const calls = messages[index - 1]!.content.filter(({ type }) => type === 'tool_use').map(({ id }) => id)
    const results = content.filter(({ type }) => type === 'tool_result')
    if (content.length !== results.length) return `messages.${index}: results come alone`
    if (!isDeepStrictEqual(results.map(({ tool_use_id: id }) => id).sort(), calls.sort()))
      return `messages.${index}: every tool_use needs its tool_result`
    const shown = results.flatMap((result) => result.content as Block[]).filter(({ type }) => type === 'image')
    if (
      shown.some(({ source }) => !isDeepStrictEqual(source, { type: 'base64', media_type: 'image/png', data: PIXEL }))
    )
      return `messages.${index}: not the picture`
    images += shown.length
  }
  return images
}

function answer(res: ServerResponse, { stream, model }: Asked, content: Block[]): void {
  const isLast = content.every(({ type }) => type !== 'tool_use')
  const id = `msg_${randomUUID()}`
  const stop = { stop_reason: isLast ? 'end_turn' : 'tool_use', stop_sequence: null }
  const usage = { input_tokens: 20, output_tokens: 10 }
  const message = { id, type: 'message', role: 'assistant', model }
  if (stream !== true) {
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ ...message, content, ...stop, usage }))
    return
  }
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (type: string, fields: object) =>
    res.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`)
  send('message_start', { message: { ...message, content: [], stop_reason: null, usage } })
  for (const [index, block] of content.entries()) {
    send('content_block_start', { index, content_block: opened(block) })
    for (const delta of deltasOf(block)) send('content_block_delta', { index, delta })
    send('content_block_stop', { index })
  }
  send('message_delta', { delta: stop, usage: { output_tokens: 10 } })
  send('message_stop', {})
  res.end()
}

function opened(block: Block): Block {
  if (block.type === 'thinking') return { type: 'thinking', thinking: '', signature: '' }
  if (block.type === 'text') return { type: 'text', text: '' }
  return block.type === 'tool_use' ? { ...block, input: {} } : block
}

function deltasOf(block: Block): object[] {
  const halves = (text: string) => [text.slice(0, 5), text.slice(5)]
  if (block.type === 'text') return halves(block.text as string).map((text) => ({ type: 'text_delta', text }))
  if (block.type === 'tool_use')
    return halves(JSON.stringify(block.input)).map((partial_json) => ({ type: 'input_json_delta', partial_json }))
  if (block.type !== 'thinking') return []
  const thoughts = halves(block.thinking as string).map((thinking) => ({ type: 'thinking_delta', thinking }))
  return [...thoughts, { type: 'signature_delta', signature: block.signature }]
}

async function strictServer(): Promise<StrictServer> {
  const conversation = randomUUID()
  const rounds: number[] = []
  let images = 0
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as Asked
    const verdict = checked(req, asked, conversation)
    if (typeof verdict === 'string') {
      res.writeHead(400, { 'content-type': 'application/json' })
      res.end(JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message: verdict } }))
      return
    }
    images = verdict
    const round = (asked.messages.length - 1) / 2
    rounds.push(round)
    answer(res, asked, turnOf(round, conversation))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    rounds,
    get images() {
      return images
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

export const anthropicLoop: LoopDialect = {
  type: 'anthropic',
  model: 'claude-sonnet-4-5',
  apiKey: API_KEY,
  strictServer,
}
