import { createHash } from 'node:crypto'
import { demoTokens } from '../../context/demo-tokens.js'
import type { WireUsage } from '../../host.js'
import type { Clock } from '../../time.js'
import { failureAfterSending, failureOfAbort, failureOfStatus } from '../failures.js'
import type { Provider, UpstreamAnswer, UpstreamFailure, UpstreamReply, UpstreamRequest } from '../provider.js'
import { choicesFor } from './choice.js'
import { DEMO_DIMENSIONS, demoEmbedding } from './embedding.js'
import { demoBrokeOff, later, pump } from './pump.js'
import { demoPromptTokens, listOf } from './tokens.js'
import { completionOf, type Envelope, eventsOf } from './wire.js'

/** Models of the demo provider. Any other name is answered as `demo` would. */
export const DEMO_MODELS = [
  'demo',
  'demo-slow',
  'demo-error-429',
  'demo-error-500',
  'demo-cutoff',
  'demo-embed',
] as const

/** Between two events of `demo-slow`, ms. */
const SLOW_EVERY_MS = 50
/** Events after which `demo-cutoff` breaks off; a plain answer of it breaks off before its first byte. */
const CUTOFF_AFTER = 4

/** A provider without network and key: the same answer to the same question, with a true bill. */
export function demoProvider({ routeName, clock }: { routeName: string; clock: Clock }): Provider {
  return {
    send: (request) => answer(request, { routeName, clock }),
    stream: (request) => Promise.resolve(streamed(request, { routeName, clock })),
    redact: (text) => text,
    models: () => Promise.resolve([...DEMO_MODELS]),
    close: () => Promise.resolve(),
  }
}

type Context = { routeName: string; clock: Clock }

function answer(request: UpstreamRequest, context: Context): Promise<UpstreamAnswer | UpstreamFailure> {
  const failure = failureOf(request, context)
  if (failure !== null) return Promise.resolve(failure)
  const told = request.kind === 'embeddings' ? embeddings(request, context.routeName) : completion(request, context)
  return typeof told === 'string' ? whole(request, told) : Promise.resolve(told)
}

function streamed(request: UpstreamRequest, context: Context): UpstreamReply | UpstreamFailure {
  const failure = failureOf(request, context)
  if (failure !== null) return failure
  const { envelope, choices, usage } = thought(request, context)
  const wantsUsage =
    (request.params.stream_options as { include_usage?: unknown } | null | undefined)?.include_usage === true
  const events = eventsOf(envelope, choices, wantsUsage ? usage : null)
  const body = pump(events[Symbol.iterator](), {
    signal: request.signal,
    everyMs: everyMs(request),
    breaksAfter: request.model === 'demo-cutoff' ? CUTOFF_AFTER : Infinity,
  })
  return { ok: true, body }
}

function failureOf({ signal, model }: UpstreamRequest, { routeName }: Context): UpstreamFailure | null {
  if (signal.aborted) return failureOfAbort(false)
  const fails = /^demo-error-(\d{3})$/.exec(model)
  return fails === null ? null : refusal(routeName, Number(fails[1]), `The model "${model}" always fails.`)
}

function everyMs({ model }: UpstreamRequest): number {
  return model === 'demo-slow' ? SLOW_EVERY_MS : 0
}

function thought(request: UpstreamRequest, { clock }: Context) {
  const choices = choicesFor(request.params)
  const prompt = demoPromptTokens(request.params)
  const completion = choices.reduce((sum, { tokens }) => sum + tokens, 0)
  const usage: WireUsage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion }
  return { envelope: envelopeOf(request, clock), choices, usage }
}

function completion(request: UpstreamRequest, context: Context): string {
  const { envelope, choices, usage } = thought(request, context)
  return completionOf(envelope, choices, usage)
}

/** A plain answer, in a turn of its own or later, as from a network. */
function whole(request: UpstreamRequest, text: string): Promise<UpstreamAnswer | UpstreamFailure> {
  return new Promise((resolve) => {
    const cancel = later(everyMs(request), () => {
      request.signal.removeEventListener('abort', aborted)
      resolve(request.model === 'demo-cutoff' ? failureAfterSending(demoBrokeOff()) : asAnswer(text))
    })
    const aborted = () => {
      cancel()
      resolve(failureOfAbort(true))
    }
    request.signal.addEventListener('abort', aborted)
  })
}

function asAnswer(text: string): UpstreamAnswer {
  return { ok: true, bytes: Buffer.from(text) }
}

/** The id is of the request's content, so that a run can be compared with another. */
function envelopeOf(request: UpstreamRequest, clock: Clock): Envelope {
  const digest = createHash('sha256').update(request.body).digest('hex')
  return { id: `chatcmpl-demo-${digest.slice(0, 24)}`, created: Math.floor(clock() / 1_000), model: request.model }
}

function embeddings(request: UpstreamRequest, routeName: string): string | UpstreamFailure {
  const { input, dimensions = DEMO_DIMENSIONS, encoding_format: format } = request.params
  if (
    typeof dimensions !== 'number' ||
    !Number.isInteger(dimensions) ||
    dimensions < 1 ||
    dimensions > DEMO_DIMENSIONS
  ) {
    return refusal(routeName, 400, `dimensions must be a whole number from 1 to ${DEMO_DIMENSIONS}.`, 'dimensions')
  }
  const texts = textsOf(input)
  if (texts.length === 0) return refusal(routeName, 400, 'input must be a text, a list of texts, or tokens.', 'input')
  const data = texts.map(({ text }, index) => {
    const vector = demoEmbedding(text, dimensions)
    return { object: 'embedding', index, embedding: format === 'base64' ? base64Of(vector) : [...vector] }
  })
  const tokens = texts.reduce((sum, text) => sum + text.tokens, 0)
  const usage = { prompt_tokens: tokens, total_tokens: tokens }
  return JSON.stringify({ object: 'list', data, model: request.model, usage })
}

/** Texts to embed. Tokens (numbers) are one text where they stand bare, and several where they come in lists. */
function textsOf(input: unknown): { text: string; tokens: number }[] {
  if (typeof input === 'string') return [{ text: input, tokens: demoTokens(input) }]
  const list = listOf(input)
  if (list.length === 0) return []
  if (typeof list[0] === 'number') return [{ text: list.join(' '), tokens: list.length }]
  return list.flatMap(textsOf)
}

function base64Of(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
}

/** Fails as a provider over HTTP does. */
function refusal(routeName: string, status: number, message: string, param: string | null = null): UpstreamFailure {
  const [type, code] =
    status === 429
      ? ['rate_limit_error', 'rate_limit_exceeded']
      : status < 500
        ? ['invalid_request_error', null]
        : ['api_error', null]
  const body = JSON.stringify({ error: { message, type, param, code } })
  const wait = status === 429 ? 1_000 : undefined
  return failureOfStatus({ status, body, retryAfterMs: wait }, { routeName, clean: (text) => text })
}
