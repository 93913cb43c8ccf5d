import { HooshError } from '../../errors.js'
import type { ProviderOptions } from '../../options.js'
import type { Clock } from '../../time.js'
import { type Deadline, deadlineOf } from '../deadline.js'
import { type FailureContext, failureAfterSending, failureOfAbort } from '../failures.js'
import { createInflow } from '../inflow.js'
import type {
  Provider,
  UpstreamAnswer,
  UpstreamBody,
  UpstreamFailure,
  UpstreamReply,
  UpstreamRequest,
} from '../provider.js'
import { redactor } from '../redact.js'
import { askOf, notAsked } from '../translated/ask.js'
import type { Ask } from '../translated/dialect.js'
import { keep, recalled } from '../translated/keepsakes.js'
import { completionOf } from './answer.js'
import { embedded, embeddingOptions } from './embeddings.js'
import { failureOfError } from './failure.js'
import type { Json, Sight } from './messages.js'
import { callOptions, leftOut } from './request.js'
import { type AiSdkModel, type AiSdkSource, embeddingModel, languageModel, sourceOf } from './source.js'
import { partTranslator } from './stream.js'

interface Bridge extends FailureContext {
  readonly source: AiSdkSource
  readonly clock: Clock
}

/**
 * A provider or a model of the AI SDK. The package sends what it sends, with its own keys and connections; ours are the
 * deadlines, what a failure means, and who pays.
 *
 * @throws HooshError `invalid_options` without such a source
 */
export function aiSdkProvider({
  config,
  clock,
}: {
  config: Pick<ProviderOptions, 'sdk' | 'name' | 'type'>
  clock: Clock
}): Provider {
  const source = sourceOf(config)
  const bridge: Bridge = { source, clock, routeName: config.name ?? config.type, clean: redactor([]) }
  return {
    send: (request) => send(bridge, request),
    stream: (request) => stream(bridge, request),
    // A model is known by its name; a provider has no list.
    models: () => Promise.resolve('modelId' in source ? [source.modelId] : []),
    redact: bridge.clean,
    close: () => Promise.resolve(),
  }
}

/** One call of a package: its signal, and its time. */
interface Outing {
  readonly signal: AbortSignal
  readonly deadline: Deadline
  abort(): void
  /** What an error means that the package has thrown, or that ended it: ours come first. */
  failure(thrown: unknown): UpstreamFailure
  over(): void
}

function setOut(bridge: Bridge, { signal, firstByteMs, idleMs }: UpstreamRequest): Outing {
  const controller = new AbortController()
  let expired: HooshError | null = null
  let hasBytes = false
  const abort = () => controller.abort()
  const inner = deadlineOf({ firstByteMs, idleMs }, () => {
    expired = new HooshError(hasBytes ? 'idle_timeout' : 'first_byte_timeout')
    abort()
  })
  const deadline: Deadline = {
    ...inner,
    progress() {
      hasBytes = true
      inner.progress()
    },
  }
  signal.addEventListener('abort', abort)
  return {
    signal: controller.signal,
    deadline,
    abort,
    failure(thrown) {
      if (signal.aborted) return failureOfAbort(true)
      return expired === null ? failureOfError(thrown, bridge) : failureAfterSending(expired)
    },
    over() {
      deadline.stop()
      signal.removeEventListener('abort', abort)
    },
  }
}

async function send(bridge: Bridge, request: UpstreamRequest): Promise<UpstreamAnswer | UpstreamFailure> {
  if (request.signal.aborted) return failureOfAbort(false)
  const dropped = new Set<string>()
  const prepared = await preparedFor(bridge, request, false, dropped)
  if ('ok' in prepared) return prepared
  const out = setOut(bridge, request)
  out.deadline.start()
  try {
    const answer = await Promise.race([prepared.plain(out.signal, dropped), rejection(out.signal)])
    return { ok: true, bytes: Buffer.from(JSON.stringify(answer)), ...(dropped.size > 0 && { dropped: [...dropped] }) }
  } catch (thrown) {
    return out.failure(thrown)
  } finally {
    out.over()
  }
}

async function stream(bridge: Bridge, request: UpstreamRequest): Promise<UpstreamReply | UpstreamFailure> {
  if (request.signal.aborted) return failureOfAbort(false)
  const dropped = new Set<string>()
  const prepared = await preparedFor(bridge, request, true, dropped)
  if ('ok' in prepared) return prepared
  const out = setOut(bridge, request)
  out.deadline.start()
  try {
    const reader = (await Promise.race([prepared.stream(out.signal), rejection(out.signal)])).getReader()
    // What the model could not do is told in headers, so it has to be known before the first event.
    const first = await Promise.race([reader.read(), rejection(out.signal)])
    for (const name of leftOut(first.value?.warnings)) dropped.add(name)
    const body = bodyOf({ first, reader, out, ask: prepared.ask, keeper: prepared.keeper })
    return { ok: true, body, ...(dropped.size > 0 && { dropped: [...dropped] }) }
  } catch (thrown) {
    const failure = out.failure(thrown)
    out.over()
    return failure
  }
}

/** Packages need not heed a signal at once, or at all. */
function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

type Keeper = Parameters<typeof keep>[0]

/** A request that a package can be given. */
interface Prepared {
  readonly ask: Ask
  readonly keeper: Keeper | null
  plain(signal: AbortSignal, dropped: Set<string>): Promise<object>
  stream(signal: AbortSignal): Promise<ReadableStream<Json>>
}

async function preparedFor(
  bridge: Bridge,
  request: UpstreamRequest,
  isStream: boolean,
  dropped: Set<string>,
): Promise<Prepared | UpstreamFailure> {
  const { cache, user, kind } = request
  const keeper = kind === 'chat' && cache !== undefined ? { cache, user } : null
  try {
    const params = keeper === null ? request.params : await recalled(keeper, request.params)
    const ask = askOf(bridge, { ...request, params }, isStream, dropped)
    return kind === 'chat' ? await chatting(bridge, ask, keeper) : embedding(bridge, ask)
  } catch (thrown) {
    return thrown instanceof HooshError || !hasAiSdkName(thrown)
      ? notAsked(thrown, request)
      : failureOfError(thrown, bridge)
  }
}

function hasAiSdkName(thrown: unknown): boolean {
  return String((thrown as { name?: unknown } | null)?.name).startsWith('AI_')
}

async function chatting({ source }: Bridge, ask: Ask, keeper: Keeper | null): Promise<Prepared> {
  const model = languageModel(source, ask.model)
  const options = callOptions(ask, await sightOf(model))
  return {
    ask,
    keeper,
    async plain(abortSignal, dropped) {
      const result = (await model.doGenerate({ ...options, abortSignal } as never)) as Json
      for (const name of leftOut(result.warnings)) dropped.add(name)
      const completion = completionOf(ask, result) as { choices: { message: object }[] }
      if (keeper !== null)
        await keep(
          keeper,
          completion.choices.map(({ message }) => message),
        )
      return completion
    },
    async stream(abortSignal) {
      const result = await model.doStream({ ...options, abortSignal } as never)
      return (result as { stream: ReadableStream<Json> }).stream
    },
  }
}

function embedding({ source }: Bridge, ask: Ask): Prepared {
  const model = embeddingModel(source, ask.model)
  const options = embeddingOptions(ask)
  return {
    ask,
    keeper: null,
    plain: (signal) => embedded(model, ask, options, signal),
    stream: () => Promise.reject(ask.impossible('stream', 'embeddings have no stream')),
  }
}

async function sightOf(model: AiSdkModel): Promise<Sight> {
  const { supportedUrls, specificationVersion } = model as { supportedUrls?: unknown; specificationVersion?: unknown }
  const byType = ((await supportedUrls) ?? {}) as Readonly<Record<string, readonly RegExp[]>>
  return {
    isV2: specificationVersion === 'v2',
    fetches(url, mediaType) {
      const kinds = ['*', '*/*', mediaType, `${mediaType.split('/', 1)[0]}/*`]
      return kinds.some((kind) => byType[kind]?.some((pattern) => pattern.test(url.toLowerCase())) === true)
    },
  }
}

interface Streaming {
  readonly first: Awaited<ReturnType<ReadableStreamDefaultReader<Json>['read']>>
  readonly reader: ReadableStreamDefaultReader<Json>
  readonly out: Outing
  readonly ask: Ask
  readonly keeper: Keeper | null
}

/** The events of a stream. It is read only while somebody takes them: that is the back-pressure. */
function bodyOf({ first, reader, out, ask, keeper }: Streaming): UpstreamBody {
  const translator = partTranslator(ask)
  let wake: (() => void) | null = null
  let isPaused = false
  const flow = createInflow({
    pause() {
      isPaused = true
      out.deadline.pause()
    },
    resume() {
      isPaused = false
      out.deadline.resume()
      wake?.()
    },
    abort: () => out.abort(),
    over: () => out.over(),
  })
  const taken = async (part: Json): Promise<void> => {
    const events = translator.part(part)
    if (part.type === 'finish' && keeper !== null) await keep(keeper, [translator.message()])
    if (events !== '') flow.push(Buffer.from(events))
    while (isPaused) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  const run = async (): Promise<void> => {
    for (let next = first; next.done !== true; next = await reader.read()) {
      out.deadline.progress()
      await taken(next.value)
    }
    // A reader that was cancelled is done too.
    if (out.signal.aborted) throw out.signal.reason
    flow.end()
  }
  out.signal.addEventListener('abort', () => {
    reader.cancel().catch(() => undefined)
    const failure = out.failure(out.signal.reason)
    out.over()
    if (failure.error.code === 'client_closed') flow.drop()
    else flow.fail(failure.error)
  })
  run().catch((thrown: unknown) => {
    if (!out.signal.aborted) flow.fail(out.failure(thrown).error)
  })
  return flow.body
}
