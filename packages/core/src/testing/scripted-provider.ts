import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Gate, gate } from './gate.js'
import type { Script } from './script.js'
import type { ChatRequest } from './scripted-answer.js'
import { type Bill, type BilledAttempt, billOf } from './scripted-bill.js'
import { perform } from './scripted-call.js'

/** One request as it arrived. */
export interface ScriptedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** The body's bytes as text. */
  readonly raw: string
  /** The body as JSON; undefined where it is none. */
  readonly body: unknown
  /** Resolves when the connection of this call closes before its answer was complete. */
  readonly aborted: Promise<void>
  /** When that was, in milliseconds of `performance.now()`; null while it has not happened. */
  readonly abortedAt: number | null
}

/** A provider on a real port of this machine that speaks OpenAI's dialect, does as it is told, and knows its true bill. */
export interface ScriptedProvider {
  /** `http://127.0.0.1:<port>/v1`: a `baseUrl` as it is. */
  readonly url: string
  readonly bill: Bill
  readonly requests: readonly ScriptedRequest[]
  /** Queues answers for the calls to come; the first that fits a call's model is taken. */
  script(...scripts: readonly Script[]): void
  /** Holds all answers back before their head until `release`. */
  hold(): void
  release(): void
  /** Resolves when so many calls have arrived in all. */
  received(calls: number): Promise<void>
  /** Forgets requests, bill and queued scripts. */
  reset(): void
  /** Closes the port and every connection. */
  close(): Promise<void>
}

/** How the provider behaves until a script says otherwise. */
export interface ScriptedProviderOptions {
  /** What it does where nothing is queued, `{}` (a good answer). */
  readonly fallback?: Script
  /** Ids that `GET /v1/models` lists. */
  readonly models?: readonly string[]
}

interface State {
  readonly options: ScriptedProviderOptions
  readonly queue: { script: Script; left: number }[]
  readonly requests: ScriptedRequest[]
  readonly perAttempt: BilledAttempt[]
  readonly arrivals: { calls: number; resolve: () => void }[]
  held: Gate | null
}

/** Starts a scripted provider on a free port of 127.0.0.1. Close it when the test ends. */
export async function scriptedProvider(options: ScriptedProviderOptions = {}): Promise<ScriptedProvider> {
  const state: State = { options, queue: [], requests: [], perAttempt: [], arrivals: [], held: null }
  const server = createServer((request, response) => void take(state, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    bill: billOf(state.perAttempt),
    requests: state.requests,
    script(...scripts) {
      for (const script of scripts) state.queue.push({ script, left: script.times ?? 1 })
    },
    hold() {
      state.held ??= gate()
    },
    release() {
      state.held?.open()
      state.held = null
    },
    received(calls) {
      return new Promise((resolve) => {
        state.arrivals.push({ calls, resolve })
        tellArrivals(state)
      })
    },
    reset() {
      for (const list of [state.queue, state.requests, state.perAttempt]) list.length = 0
    },
    close: () => closed(server),
  }
}

async function take(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0]!
  const chunks: Buffer[] = []
  request.on('error', () => {})
  response.on('error', () => {})
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer)
  } catch {
    return // the client went before it had said what it wanted
  }
  const raw = Buffer.concat(chunks).toString('utf8')
  if (request.method === 'GET' && path.endsWith('/models')) return listModels(state, response)
  const body = parsed(raw)
  const billed = newAttempt((body ?? {}) as ChatRequest)
  state.requests.push(received(request, path, raw, body, response, billed))
  state.perAttempt.push(billed)
  tellArrivals(state)
  const head = { id: `chatcmpl-${state.perAttempt.length}`, model: billed.model }
  const script = nextScript(state, billed.model)
  await perform({ script, request: (body ?? {}) as ChatRequest, path, response, billed, head, held: state.held })
}

function newAttempt(request: ChatRequest): BilledAttempt {
  return {
    model: request.model ?? '',
    stream: request.stream === true,
    limit: request.max_completion_tokens ?? request.max_tokens ?? null,
    promptTokens: 0,
    completionTokens: 0,
    status: 200,
    outcome: 'running',
  }
}

function received(
  { method = '', headers }: IncomingMessage,
  path: string,
  raw: string,
  body: unknown,
  response: ServerResponse,
  billed: BilledAttempt,
): ScriptedRequest {
  let abortedAt: number | null = null
  const aborted = new Promise<void>((resolve) => {
    response.on('close', () => {
      if (response.writableFinished) {
        if (billed.outcome === 'running') billed.outcome = 'complete'
        return
      }
      if (billed.outcome === 'running') billed.outcome = 'client-closed'
      abortedAt = performance.now()
      resolve()
    })
  })
  return {
    method,
    path,
    headers,
    raw,
    body,
    aborted,
    get abortedAt() {
      return abortedAt
    },
  }
}

function nextScript(state: State, model: string): Script {
  const at = state.queue.findIndex(({ script }) => script.model === undefined || script.model === model)
  const entry = state.queue[at]
  if (entry === undefined) return state.options.fallback ?? {}
  entry.left -= 1
  if (entry.left <= 0) state.queue.splice(at, 1)
  return entry.script
}

function tellArrivals(state: State): void {
  for (const arrival of state.arrivals) if (state.requests.length >= arrival.calls) arrival.resolve()
}

function listModels({ options }: State, response: ServerResponse): void {
  const data = (options.models ?? ['scripted']).map((id) => ({ id, object: 'model', created: 0, owned_by: 'scripted' }))
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ object: 'list', data }))
}

function parsed(raw: string): unknown {
  try {
    return JSON.parse(raw)
  } catch {
    return undefined
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
