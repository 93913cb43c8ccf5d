import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { type LoopDialect, PIXEL, ROUNDS, type StrictServer } from './loop.js'

interface Part {
  readonly text?: string
  readonly thought?: boolean
  readonly thoughtSignature?: string
  readonly functionCall?: { readonly id?: string; readonly name: string; readonly args: object }
  readonly functionResponse?: {
    readonly id: string
    readonly name: string
    readonly response: object
    readonly parts?: readonly { inlineData?: object }[]
  }
  readonly toolCall?: object
  readonly toolResponse?: object
}

interface Asked {
  readonly contents: { role: string; parts: Part[] }[]
  readonly tools: { functionDeclarations: { name: string; parametersJsonSchema: object }[] }[]
  readonly generationConfig: { maxOutputTokens: number; thinkingConfig: object }
}

const API_KEY = 'AIza-of-the-route'
const MODEL = 'gemini-3-flash-preview'

/**
 * The turn of a round: thoughts, in one round a search of Google's own, what is said, the calls, the first of which carries
 * the signature. Calls have ids in every other round only.
 */
function turnOf(round: number, conversation: string): Part[] {
  const { thinking, text, calls } = ROUNDS[round]!
  const signature = (name: string) => ({ thoughtSignature: `${conversation}-${round}-${name}` })
  const search = { toolType: 'GOOGLE_SEARCH_WEB', id: `search-${conversation}` }
  return [
    { text: thinking, thought: true },
    ...(round === 1
      ? [
          { toolCall: { ...search, args: { queries: ['weather'] } }, ...signature('search') },
          { toolResponse: { ...search, response: { pages: ['sunny'] } }, ...signature('found') },
        ]
      : []),
    ...(text === '' ? [] : [{ text, ...(round === 2 ? signature('text') : {}) }]),
    ...calls.map((call, index) => ({
      functionCall: {
        ...(round % 2 === 1 ? { id: `${conversation}${index}` } : {}),
        name: call.name,
        args: call.arguments,
      },
      ...(index === 0 ? signature('call') : {}),
    })),
  ]
}

/** What is wrong with a request, or how many pictures it shows. */
function checked(req: IncomingMessage, asked: Asked, conversation: string): string | number {
  const { contents, tools, generationConfig } = asked
  if (req.headers['x-goog-api-key'] !== API_KEY || 'authorization' in req.headers) return 'no key in x-goog-api-key'
  if (!/^\/v1beta\/models\/gemini-3-flash-preview:(?:generateContent|streamGenerateContent\?alt=sse)$/.test(req.url!))
    return `no such path: ${req.url}`
  const config = { maxOutputTokens: 8_000, thinkingConfig: { thinkingLevel: 'low', includeThoughts: true } }
  if (!isDeepStrictEqual(generationConfig, config)) return `generationConfig: ${JSON.stringify(generationConfig)}`
  const names = tools.flatMap((tool) => tool.functionDeclarations.map(({ name }) => name))
  if (!isDeepStrictEqual(names, ['get_weather', 'take_photo'])) return `tools: ${names}`
  let images = 0
  for (const [index, { role, parts }] of contents.entries()) {
    if (role !== (index % 2 === 0 ? 'user' : 'model')) return `contents.${index}: roles must alternate`
    const wrong = role === 'model' ? wrongTurn(parts, turnOf((index - 1) / 2, conversation)) : null
    if (wrong !== null) return `contents.${index}: ${wrong}`
    if (role === 'model' || index === 0) continue
    const shown = checkedResults(parts, contents[index - 1]!.parts)
    if (typeof shown === 'string') return `contents.${index}: ${shown}`
    images += shown
  }
  return images
}

/** Thoughts need not come back; all else has to, each signature in its own part. */
function wrongTurn(parts: Part[], issued: Part[]): string | null {
  const said = parts.filter(({ thought }) => thought !== true)
  const wanted = issued.filter(({ thought }) => thought !== true)
  const known = said.map((part, index) => {
    if (part.functionCall === undefined || wanted[index]?.functionCall?.id !== undefined) return part
    const { id: _ours, ...call } = part.functionCall
    return { ...part, functionCall: call }
  })
  return isDeepStrictEqual(known, wanted) ? null : `not what was said: ${JSON.stringify(parts)}`
}

function checkedResults(parts: Part[], turn: Part[]): string | number {
  const calls = turn.flatMap(({ functionCall }) => (functionCall === undefined ? [] : [functionCall]))
  const results = parts.flatMap(({ functionResponse }) => (functionResponse === undefined ? [] : [functionResponse]))
  if (results.length !== parts.length) return 'results come alone'
  const pair = ({ id, name }: { id?: string; name: string }) => `${id} ${name}`
  if (new Set(calls.map(({ id }) => id)).size !== calls.length) return 'ids must differ'
  if (!isDeepStrictEqual(results.map(pair), calls.map(pair))) return 'every call needs its response'
  const shown = results.flatMap((result) => result.parts ?? [])
  const isPicture = ({ inlineData }: { inlineData?: object }) =>
    isDeepStrictEqual(inlineData, { mimeType: 'image/png', data: PIXEL })
  return shown.every(isPicture) ? shown.length : 'not the picture'
}

function answer(req: IncomingMessage, res: ServerResponse, parts: Part[]): void {
  const head = { modelVersion: MODEL, responseId: randomUUID().slice(0, 22) }
  const usage = { promptTokenCount: 20, candidatesTokenCount: 6, thoughtsTokenCount: 4, totalTokenCount: 30 }
  const candidate = (some: Part[], more = {}) => ({ content: { parts: some, role: 'model' }, index: 0, ...more })
  if (!req.url!.includes(':stream')) {
    res.writeHead(200, { 'content-type': 'application/json; charset=UTF-8' })
    res.end(JSON.stringify({ candidates: [candidate(parts, { finishReason: 'STOP' })], usageMetadata: usage, ...head }))
    return
  }
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (one: object) =>
    res.write(`data: ${JSON.stringify({ candidates: [one], usageMetadata: usage, ...head })}\r\n\r\n`)
  for (const part of parts) {
    if (part.text === undefined || part.thoughtSignature !== undefined) send(candidate([part]))
    else for (const text of [part.text.slice(0, 5), part.text.slice(5)]) send(candidate([{ ...part, text }]))
  }
  send(candidate([{ text: '' }], { finishReason: 'STOP' }))
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
      res.end(JSON.stringify({ error: { code: 400, status: 'INVALID_ARGUMENT', message: verdict } }))
      return
    }
    images = verdict
    const round = (asked.contents.length - 1) / 2
    rounds.push(round)
    answer(req, res, turnOf(round, conversation))
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

export const geminiLoop: LoopDialect = { type: 'google', model: MODEL, apiKey: API_KEY, strictServer }
