import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { type LoopDialect, PIXEL, ROUNDS, type StrictServer } from './loop.js'

interface Message {
  readonly role: string
  readonly content: string
  readonly thinking?: string
  readonly images?: readonly string[]
  readonly tool_name?: string
  readonly tool_call_id?: string
  readonly tool_calls?: readonly { id?: string; function: { name: string; arguments: object } }[]
}

interface Asked {
  readonly model: string
  readonly stream: boolean
  readonly think: unknown
  readonly options: object
  readonly messages: readonly Message[]
  readonly tools: readonly { type: string; function: { name: string } }[]
}

const API_KEY = 'key-of-the-proxy'
const MODEL = 'qwen3-vl:8b'

/** The message of a round; calls have ids in every other one only, as those of older servers have none. */
function messageOf(round: number, conversation: string): Message {
  const { thinking, text, calls } = ROUNDS[round]!
  return {
    role: 'assistant',
    content: text,
    thinking,
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map((call, index) => ({
            ...(round % 2 === 1 ? { id: `call_${conversation}${index}` } : {}),
            function: { name: call.name, arguments: call.arguments },
          })),
        }),
  }
}

/** What is wrong with a request, or how many pictures it shows. */
function checked(req: IncomingMessage, asked: Asked, conversation: string): string | number {
  const { messages, tools, think, options, model } = asked
  if (req.headers.authorization !== `Bearer ${API_KEY}`) return 'no key'
  if (req.url !== '/api/chat' || model !== MODEL) return `no such path or model: ${req.url} ${model}`
  if (think !== true || !isDeepStrictEqual(options, { num_predict: 8_000 })) return 'think or options'
  if (tools.map((tool) => `${tool.type} ${tool.function.name}`).join() !== 'function get_weather,function take_photo')
    return 'tools'
  let images = 0
  let at = 1
  for (let round = 0; at < messages.length; round += 1) {
    const issued = messageOf(round, conversation)
    const wrong = wrongMessage(messages[at]!, issued)
    if (wrong !== null) return `messages.${at}: ${wrong}`
    const calls = messages[at]!.tool_calls ?? []
    if (new Set(calls.map(({ id }) => id)).size !== calls.length) return 'ids must differ'
    for (const [index, call] of calls.entries()) {
      const result = messages[at + 1 + index]
      if (result?.role !== 'tool' || result.tool_name !== call.function.name || result.tool_call_id !== call.id)
        return `messages.${at + 1 + index}: not the result of ${call.function.name}`
      if (result.images !== undefined && !isDeepStrictEqual(result.images, [PIXEL])) return 'not the picture'
      images += result.images?.length ?? 0
    }
    at += 1 + calls.length
  }
  return images
}

/** Thoughts need not come back. */
function wrongMessage({ thinking: _thinking, ...said }: Message, { thinking: _issued, ...wanted }: Message) {
  const calls = said.tool_calls?.map(({ id, ...call }, index) => {
    return wanted.tool_calls?.[index]?.id === undefined ? call : { id, ...call }
  })
  const known = calls === undefined ? said : { ...said, tool_calls: calls }
  return isDeepStrictEqual(known, wanted) ? null : `not what was said: ${JSON.stringify(said)}`
}

function answer(res: ServerResponse, { stream }: Asked, { role, content, thinking, tool_calls: calls }: Message): void {
  const head = { model: MODEL, created_at: '2026-11-28T12:00:00.123456789Z' }
  const last = { done: true, done_reason: 'stop', total_duration: 5, prompt_eval_count: 20, eval_count: 10 }
  if (!stream) {
    res.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
    const message = { role, content, thinking, ...(calls === undefined ? {} : { tool_calls: calls }) }
    res.end(JSON.stringify({ ...head, message, ...last }))
    return
  }
  res.writeHead(200, { 'content-type': 'application/x-ndjson' })
  const send = (message: object, more: object = { done: false }) =>
    res.write(`${JSON.stringify({ ...head, message: { role, content: '', ...message }, ...more })}\n`)
  for (const piece of [thinking!.slice(0, 5), thinking!.slice(5)]) send({ thinking: piece })
  for (const piece of [content.slice(0, 5), content.slice(5)]) if (piece !== '') send({ content: piece })
  for (const call of calls ?? []) send({ tool_calls: [call] })
  send({}, last)
  res.end()
}

async function strictServer(): Promise<StrictServer> {
  const conversation = randomUUID().slice(0, 8)
  const rounds: number[] = []
  let images = 0
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as Asked
    const verdict = checked(req, asked, conversation)
    if (typeof verdict === 'string') {
      res.writeHead(400, { 'content-type': 'application/json' })
      res.end(JSON.stringify({ error: verdict }))
      return
    }
    images = verdict
    const round = asked.messages.filter(({ role }) => role === 'assistant').length
    rounds.push(round)
    answer(res, asked, messageOf(round, conversation))
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

export const ollamaLoop: LoopDialect = { type: 'ollama', model: MODEL, apiKey: API_KEY, strictServer }
