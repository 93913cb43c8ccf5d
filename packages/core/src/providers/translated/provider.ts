import type { ProviderSettings } from '../../config/settings.js'
import type { Clock } from '../../time.js'
import { endpointOf } from '../base-url.js'
import type { ProviderFacts } from '../catalog.js'
import type { Connection } from '../connection.js'
import { failureOfStatus } from '../failures.js'
import { commonHeaders } from '../headers.js'
import { createKeys } from '../keys.js'
import { modelIds } from '../model-list.js'
import type {
  ModelLibrary,
  Provider,
  UpstreamAnswer,
  UpstreamFailure,
  UpstreamReply,
  UpstreamRequest,
} from '../provider.js'
import { createTransport, type HttpRequest, LIST_DEADLINES, type Transport } from '../transport.js'
import { askOf, notAsked } from './ask.js'
import { type BodyContext, eventBody, translatedAnswer } from './bodies.js'
import type { Dialect, Translation } from './dialect.js'
import { keep, recalled } from './keepsakes.js'

export interface TranslatedOptions {
  /** `$NAME` is already expanded. */
  readonly config: ProviderSettings
  readonly facts: ProviderFacts
  readonly dialect: Dialect
  readonly connection: Connection
  readonly clock: Clock
}

/** What one provider of a dialect is made of. */
interface Translated {
  readonly dialect: Dialect
  readonly routeName: string
  readonly clock: Clock
  readonly clean: (text: string) => string
  readonly transport: Transport
  readonly pathOf: (path: string) => string
  readonly plainHeaders: readonly string[]
  readonly streamHeaders: readonly string[]
}

const STREAM_TYPES = { sse: 'text/event-stream', ndjson: 'application/x-ndjson' } as const

/**
 * A provider that speaks a dialect of its own. Nothing of the caller's request goes up but what the dialect makes of its
 * body: no header, no id.
 *
 * @throws HooshError `invalid_options` for a base URL or a header that cannot be used
 */
export function translatedProvider({ config, facts, dialect, connection, clock }: TranslatedOptions): Provider {
  const routeName = config.name ?? config.type
  const endpoint = endpointOf(config.baseUrl ?? facts.baseUrl, routeName, dialect.version)
  const keys = createKeys(config, { routeName, clock, patienceMs: connection.connectMs, headerOf: dialect.keyHeader })
  const common = commonHeaders(config, routeName, [...Object.entries(dialect.headers), ...keys.fixed])
  const clean = keys.redact
  const { refusal } = dialect
  const transport = createTransport({
    connection,
    clock,
    routeName,
    clean,
    keys,
    ...(refusal === undefined ? {} : { refusal }),
  })
  const json = ['content-type', 'application/json', 'accept']
  const provider: Translated = {
    dialect,
    routeName,
    clock,
    clean,
    transport,
    pathOf: endpoint.pathOf,
    plainHeaders: [...json, 'application/json', ...common],
    streamHeaders: [...json, STREAM_TYPES[dialect.framing], ...common],
  }
  return {
    rest: keys.rest,
    send: (request) => send(provider, request),
    stream: (request) => stream(provider, request),
    async models(signal) {
      const path = endpoint.pathOf(dialect.models.path)
      const headers = ['accept', 'application/json', ...common]
      const ask = { method: 'GET', path, headers, body: null, signal, ...LIST_DEADLINES } as const
      const reply = await transport.send(ask)
      if (!reply.ok) throw reply.error
      return modelIds(reply.bytes, routeName, (list) => dialect.models.ids(list))
    },
    ...(dialect.library === undefined ? {} : { library: libraryOf(provider, dialect.library) }),
    redact: clean,
    close: () => transport.close(),
  }
}

async function send(provider: Translated, request: UpstreamRequest): Promise<UpstreamAnswer | UpstreamFailure> {
  const asked = await translated(provider, request, false)
  if ('ok' in asked) return asked
  const answer = await provider.transport.send(asked.ask)
  if (!answer.ok) return answer
  const bytes = await translatedAnswer(answer.bytes, (json) => asked.translation.reply(json), asked.context)
  return Buffer.isBuffer(bytes) ? { ok: true, bytes, ...asked.dropped() } : bytes
}

async function stream(provider: Translated, request: UpstreamRequest): Promise<UpstreamReply | UpstreamFailure> {
  const asked = await translated(provider, request, true)
  if ('ok' in asked) return asked
  const reply = await provider.transport.stream({ ...asked.ask, streamType: STREAM_TYPES[asked.context.framing] })
  if (!reply.ok) return reply
  return { ok: true, body: eventBody(reply.body, asked.translation.stream(), asked.context), ...asked.dropped() }
}

/** Between two lines of a pull, ms: a large file is checked in silence. */
const PULL_SILENCE_MS = 600_000

function libraryOf(provider: Translated, library: NonNullable<Dialect['library']>): ModelLibrary {
  const { transport, pathOf, plainHeaders, streamHeaders } = provider
  const asked = (one: { path: string; body: string }) => ({ path: pathOf(one.path), body: one.body })
  return {
    pull(model, signal) {
      const ask = {
        ...asked(library.pull(model)),
        headers: [...streamHeaders],
        signal,
        streamType: STREAM_TYPES.ndjson,
      }
      return transport.stream({ method: 'POST', ...ask, firstByteMs: PULL_SILENCE_MS, idleMs: PULL_SILENCE_MS })
    },
    remove(model, signal) {
      const ask = { ...asked(library.remove(model)), headers: [...plainHeaders], signal }
      return transport.send({ method: 'DELETE', ...ask, firstByteMs: PULL_SILENCE_MS, idleMs: PULL_SILENCE_MS })
    },
  }
}

/** A request that is ready to go up, and how its answer is read. */
interface Asked {
  readonly ask: HttpRequest
  readonly translation: Translation
  readonly context: BodyContext
  /** Fields that were left out, as a part of the reply. */
  dropped(): { dropped?: readonly string[] }
}

async function translated(
  provider: Translated,
  request: UpstreamRequest,
  isStream: boolean,
): Promise<Asked | UpstreamFailure> {
  const { dialect, routeName, plainHeaders, streamHeaders } = provider
  const { cache, user, signal, firstByteMs, idleMs } = request
  const keeper = dialect.carries === true && request.kind === 'chat' && cache !== undefined ? { cache, user } : null
  const dropped = new Set<string>()
  let translation: Translation
  try {
    const params = keeper === null ? request.params : await recalled(keeper, request.params)
    translation = dialect.translate(askOf(provider, { ...request, params }, isStream, dropped))
  } catch (thrown) {
    return notAsked(thrown, request)
  }
  const path = provider.pathOf(translation.path)
  const headers = [...(isStream ? streamHeaders : plainHeaders), ...(translation.headers ?? [])]
  const { framing } = dialect
  const context: BodyContext = {
    routeName,
    framing,
    refused: (said) => failureOfStatus({ status: 500, body: said, retryAfterMs: undefined }, provider).error,
    ...(keeper === null ? {} : { keep: (messages) => keep(keeper, messages) }),
  }
  return {
    ask: { method: 'POST', path, headers, body: translation.body, signal, firstByteMs, idleMs },
    translation,
    context,
    dropped: () => (dropped.size === 0 ? {} : { dropped: [...dropped] }),
  }
}
