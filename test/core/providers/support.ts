import type { HooshError } from '../../../packages/core/src/errors.js'
import type { ProviderOptions } from '../../../packages/core/src/options.js'
import { createProvider } from '../../../packages/core/src/providers/create.js'
import type {
  Provider,
  UpstreamFailure,
  UpstreamReply,
  UpstreamRequest,
} from '../../../packages/core/src/providers/provider.js'

export function provider(
  config: Partial<ProviderOptions>,
  deps: { connectMs?: number; now?: number; environment?: Record<string, string> } = {},
): Provider {
  const options: ProviderOptions = { type: 'openai', name: 'route-1', ...config }
  const { connectMs = 5_000, environment = {} } = deps
  return createProvider(options, { connectMs, environment, clock: () => deps.now ?? Date.now() }).provider
}

export function request(
  params: Record<string, unknown> & { model?: string },
  more: Partial<UpstreamRequest> = {},
): UpstreamRequest {
  const whole: Record<string, unknown> & { model: string } = {
    model: 'scripted',
    messages: [{ role: 'user', content: 'Hello there' }],
    ...params,
  }
  return {
    kind: 'chat',
    model: whole.model,
    body: JSON.stringify(whole),
    params: whole,
    requestId: 'request-1',
    user: 'alice',
    signal: new AbortController().signal,
    firstByteMs: 20_000,
    idleMs: 20_000,
    ...more,
  }
}

export interface Received {
  readonly text: string
  readonly chunks: readonly Uint8Array[]
  readonly error: HooshError | null
}

/** Everything that a body delivers, to its end or failure. */
export function receive(reply: UpstreamReply): Promise<Received> {
  const chunks: Uint8Array[] = []
  return new Promise((resolve) => {
    const done = (error: HooshError | null) => resolve({ text: Buffer.concat(chunks).toString(), chunks, error })
    reply.body.start({ data: (chunk) => void chunks.push(chunk), end: () => done(null), fail: done })
  })
}

/** A stream, or a plain answer as one that has come already. */
export async function answered(from: Provider, ask: UpstreamRequest): Promise<UpstreamReply> {
  const result = await asked(from, ask)
  if (!result.ok) throw result.error
  if ('body' in result) return result
  const start: UpstreamReply['body']['start'] = (consumer) => {
    consumer.data(result.bytes)
    consumer.end()
  }
  return { ok: true, body: { start, pause: () => undefined, resume: () => undefined, abort: () => undefined } }
}

function asked(from: Provider, ask: UpstreamRequest) {
  return ask.params.stream === true ? from.stream(ask) : from.send(ask)
}

export async function failed(from: Provider, ask: UpstreamRequest): Promise<UpstreamFailure> {
  const result = await asked(from, ask)
  if (result.ok) throw new Error('expected a failure')
  return result
}

/** The JSON of a plain answer. */
export async function json(from: Provider, ask: UpstreamRequest) {
  return JSON.parse((await receive(await answered(from, ask))).text)
}

/** The data of a stream's events, without `[DONE]`. */
export function eventsIn(text: string): ReturnType<typeof JSON.parse>[] {
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice(6)))
}
