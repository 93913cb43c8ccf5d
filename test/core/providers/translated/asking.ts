import { HooshError } from '../../../../packages/core/src/errors.js'
import type { Ask, Dialect, Translation } from '../../../../packages/core/src/providers/translated/dialect.js'

type Json = ReturnType<typeof JSON.parse>

/** A dialect asked without a server: what would go up, and how the answer is read. */
export interface Asked {
  readonly path: string
  readonly body: Json
  readonly dropped: readonly string[]
  reply(json: unknown): Json
  /** The data of the events that a stream of these means; its text does not end in `[DONE]` where that is missing. */
  stream(...events: unknown[]): { chunks: Json[]; isDone: boolean }
}

export interface AskOptions {
  readonly drop?: boolean
  readonly kind?: Ask['kind']
}

export function asking(
  dialect: Dialect,
  params: Record<string, unknown> & { model: string },
  options: AskOptions = {},
): Asked {
  const dropped: string[] = []
  const refuse = (param: string) => new HooshError('unsupported_parameter', { details: { param } })
  const ask: Ask = {
    kind: options.kind ?? 'chat',
    stream: params.stream === true,
    model: params.model,
    params,
    requestId: 'request-1',
    created: 5,
    cannot(param) {
      if (options.drop !== true) throw refuse(param)
      dropped.push(param)
    },
    adapted: (param) => void dropped.push(param),
    impossible: refuse,
    refused: (status, body) => new HooshError('provider_error', { message: `${status} ${body}` }),
  }
  const translation = dialect.translate(ask)
  return {
    path: translation.path,
    body: JSON.parse(translation.body),
    dropped,
    reply: (json) => JSON.parse(JSON.stringify(translation.reply(json))),
    stream: (...events) => streamed(translation, events),
  }
}

function streamed(translation: Translation, events: readonly unknown[]) {
  const translator = translation.stream()
  const text = events.map((event) => translator.event(event)).join('') + (translator.end?.() ?? '')
  const data = text.split('\n\n').flatMap((event) => (event === '' ? [] : [event.slice('data: '.length)]))
  const isDone = data.at(-1) === '[DONE]'
  return { chunks: (isDone ? data.slice(0, -1) : data).map((json) => JSON.parse(json) as Json), isDone }
}
