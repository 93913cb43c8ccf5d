import { validateHeaderName, validateHeaderValue } from 'node:http'
import { HooshError } from '../errors.js'
import type { ProviderOptions } from '../options.js'
import type { Clock } from '../time.js'
import { endpointOf } from './base-url.js'
import type { ProviderFacts } from './catalog.js'
import { modelIds } from './model-list.js'
import type { Provider } from './provider.js'
import { redactor } from './redact.js'
import { createTransport, type HttpRequest } from './transport.js'

export interface OpenAiCompatibleOptions {
  /** `$NAME` is already expanded. */
  readonly config: ProviderOptions
  readonly facts: ProviderFacts
  readonly connectMs: number
  readonly clock: Clock
}

/** Of a list of models. */
const LIST_DEADLINES = { firstByteMs: 10_000, idleMs: 10_000 }

/** Headers that we set, or that belong to a connection: a configuration that names one would break the framing. */
const NOT_CONFIGURABLE = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const TELLS_SECRET = /auth|key|token|secret|cookie|password/i

/**
 * A provider that speaks OpenAI's dialect: requests go up as the bytes they are, answers come back as the bytes they
 * are. Nothing of the caller's request but its body goes up: no header, no id.
 *
 * @throws HooshError `invalid_options` for a base URL or a header that cannot be used
 */
export function openaiCompatible({ config, facts, connectMs, clock }: OpenAiCompatibleOptions): Provider {
  const routeName = config.name ?? config.type
  const endpoint = endpointOf(config.baseUrl ?? facts.baseUrl, routeName)
  const common = commonHeaders(config, routeName)
  const clean = redactor(secretsOf(config))
  const transport = createTransport({
    origin: endpoint.origin,
    connectMs,
    clock,
    routeName,
    clean,
  })
  const plain = ['content-type', 'application/json', 'accept', 'application/json', ...common]
  const events = ['content-type', 'application/json', 'accept', 'text/event-stream', ...common]
  const list = ['accept', 'application/json', ...common]
  const paths = { chat: endpoint.pathOf('/chat/completions'), embeddings: endpoint.pathOf('/embeddings') }
  const modelsPath = endpoint.pathOf('/models')
  return {
    send(request) {
      const { kind, stream, body, signal, firstByteMs, idleMs } = request
      const headers = stream ? events : plain
      return transport.send({ method: 'POST', path: paths[kind], headers, body, stream, signal, firstByteMs, idleMs })
    },
    async models(signal) {
      const ask: HttpRequest = {
        method: 'GET',
        path: modelsPath,
        headers: list,
        body: null,
        stream: false,
        signal,
        ...LIST_DEADLINES,
      }
      const reply = await transport.send(ask)
      if (!reply.ok) throw reply.error
      return modelIds(reply.body, routeName)
    },
    redact: clean,
    close: () => transport.close(),
  }
}

function commonHeaders(config: ProviderOptions, routeName: string): string[] {
  const headers = new Map([
    ['accept-encoding', 'identity'],
    ['user-agent', 'hoosh'],
  ])
  if (config.apiKey !== undefined) headers.set('authorization', `Bearer ${config.apiKey}`)
  for (const [name, value] of Object.entries(config.headers ?? {})) {
    if (NOT_CONFIGURABLE.has(name.toLowerCase())) throw badHeader(routeName, name)
    headers.set(name.toLowerCase(), value)
  }
  for (const [name, value] of headers) {
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    } catch {
      throw badHeader(routeName, name)
    }
  }
  return [...headers].flat()
}

/** Names the header and not its value, which may be a key with a stray line break. */
function badHeader(routeName: string, name: string): HooshError {
  return new HooshError('invalid_options', {
    message: `The provider "${routeName}" cannot send the header "${name}" as it is configured.`,
  })
}

function secretsOf({ apiKey, headers }: ProviderOptions): string[] {
  const values = Object.entries(headers ?? {}).flatMap(([name, value]) => {
    return TELLS_SECRET.test(name) ? [value, value.replace(/^\w+\s+/, '')] : []
  })
  return apiKey === undefined ? values : [apiKey, ...values]
}
