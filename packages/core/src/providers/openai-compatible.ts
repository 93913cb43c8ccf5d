import type { ProviderSettings } from '../config/settings.js'
import type { Clock } from '../time.js'
import { endpointOf } from './base-url.js'
import type { ProviderFacts } from './catalog.js'
import type { Connection } from './connection.js'
import { commonHeaders } from './headers.js'
import { createKeys } from './keys.js'
import { type Mending, mendingFor } from './mending.js'
import { modelIds } from './model-list.js'
import { withoutCarried } from './not-ours.js'
import type {
  Provider,
  TrainingServer,
  UpstreamAnswer,
  UpstreamFailure,
  UpstreamReply,
  UpstreamRequest,
} from './provider.js'
import { createTransport, type HttpRequest, LIST_DEADLINES } from './transport.js'

export interface OpenAiCompatibleOptions {
  /** `$NAME` is already expanded. */
  readonly config: ProviderSettings
  readonly facts: ProviderFacts
  readonly connection: Connection
  readonly clock: Clock
}

const GOOGLE = /\.googleapis\.com$/

/** Of a catalogue that is brought up to date, which takes its time. */
const SYNC_DEADLINES = { firstByteMs: 120_000, idleMs: 60_000 } as const

/**
 * A provider that speaks OpenAI's dialect: requests go up as the bytes they are, answers come back as the bytes they
 * are. Nothing of the caller's request but its body goes up: no header, no id.
 *
 * @throws HooshError `invalid_options` for a base URL or a header that cannot be used
 */
export function openaiCompatible({ config, facts, connection, clock }: OpenAiCompatibleOptions): Provider {
  const routeName = config.name ?? config.type
  const endpoint = endpointOf(config.baseUrl ?? facts.baseUrl, routeName)
  const keys = createKeys(config, {
    routeName,
    clock,
    patienceMs: connection.connectMs,
    headerOf: (key) => ['authorization', `Bearer ${key}`],
  })
  const common = commonHeaders(config, routeName, keys.fixed)
  const transport = createTransport({
    connection,
    clock,
    routeName,
    clean: keys.redact,
    keys,
  })
  const plain = ['content-type', 'application/json', 'accept', 'application/json', ...common]
  const events = ['content-type', 'application/json', 'accept', 'text/event-stream', ...common]
  const list = ['accept', 'application/json', ...common]
  const paths = { chat: endpoint.pathOf('/chat/completions'), embeddings: endpoint.pathOf('/embeddings') }
  const mending = mendingFor(facts.quirks)
  const training: TrainingServer = {
    status(job, signal) {
      const path = endpoint.pathOf(`/training/${encodeURIComponent(job)}`)
      return transport.send({ method: 'GET', path, headers: list, body: null, signal, ...LIST_DEADLINES })
    },
    syncCatalog(signal) {
      const path = endpoint.pathOf('/catalog/sync')
      return transport.send({ method: 'POST', path, headers: plain, body: '{}', signal, ...SYNC_DEADLINES })
    },
  }
  const modelsPath = endpoint.pathOf('/models')
  // Google's own servers of this dialect want their signatures back.
  const bodyOf = GOOGLE.test(endpoint.origin) ? ({ body }: UpstreamRequest) => body : withoutCarried
  return {
    rest: keys.rest,
    send(request) {
      const { kind, signal, firstByteMs, idleMs } = request
      const body = bodyOf(request)
      const ask = { method: 'POST', path: paths[kind], headers: plain, body, signal, firstByteMs, idleMs } as const
      const sending = transport.send(ask)
      return mending === null ? sending : sending.then((reply) => mendedAnswer(reply, mending))
    },
    stream(request) {
      const { kind, signal, firstByteMs, idleMs } = request
      const body = bodyOf(request)
      const ask = { method: 'POST', path: paths[kind], headers: events, body, signal, firstByteMs, idleMs } as const
      const sending = transport.stream({ ...ask, streamType: 'text/event-stream' })
      return mending === null ? sending : sending.then((reply) => mendedReply(reply, mending))
    },
    async models(signal) {
      const ask: HttpRequest = {
        method: 'GET',
        path: modelsPath,
        headers: list,
        body: null,
        signal,
        ...LIST_DEADLINES,
      }
      const reply = await transport.send(ask)
      if (!reply.ok) throw reply.error
      return modelIds(reply.bytes, routeName)
    },
    redact: keys.redact,
    ...(facts.quirks.trains === true && { training }),
    close: () => transport.close(),
  }
}

function mendedAnswer(reply: UpstreamAnswer | UpstreamFailure, mending: Mending): UpstreamAnswer | UpstreamFailure {
  return reply.ok ? { ...reply, bytes: mending.answer(reply.bytes) } : reply
}

function mendedReply(reply: UpstreamReply | UpstreamFailure, mending: Mending): UpstreamReply | UpstreamFailure {
  return reply.ok ? { ...reply, body: mending.stream(reply.body) } : reply
}
