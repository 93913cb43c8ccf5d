import type { HooshError } from '../../errors.js'
import type { Ask } from '../translated/dialect.js'
import { type Figures, usageOf } from '../translated/usage.js'
import type { ForcedCall } from './tools.js'

/** One answer, or one line of a stream. */
export interface OllamaAnswer {
  readonly model?: string
  readonly message?: {
    readonly content?: string
    readonly thinking?: string
    readonly tool_calls?: readonly OllamaCall[]
  }
  readonly done?: boolean
  readonly done_reason?: string
  readonly prompt_eval_count?: number
  readonly eval_count?: number
  readonly logprobs?: readonly Logprob[]
}

interface OllamaCall {
  readonly id?: string
  readonly function: { readonly name: string; readonly arguments?: object }
}

interface Logprob {
  readonly token: string
  readonly logprob: number
  readonly bytes?: readonly number[]
  readonly top_logprobs?: readonly Logprob[]
}

/** The error that an answer or a line is; null where it is none. */
export function errorIn(ask: Ask, json: unknown): HooshError | null {
  const { error } = json as { error?: unknown }
  return error == null ? null : ask.refused(500, JSON.stringify({ error }))
}

/** @param calls of functions in the answer */
export function finishOf(reason: string | undefined, calls: number): string {
  if (reason === 'length') return 'length'
  return calls > 0 ? 'tool_calls' : 'stop'
}

/** OpenAI's usage; undefined where none was told. Thoughts are counted in with the answer. */
export function wireUsage({ prompt_eval_count: prompt, eval_count: completion = 0 }: OllamaAnswer): object | undefined {
  if (typeof prompt !== 'number') return undefined
  const figures: Figures = { prompt, completion }
  return usageOf(figures)
}

/** Gives calls without ids the same ones each time. */
export function callsOf(ask: Ask, calls: readonly OllamaCall[], from: number) {
  return calls.map(({ id, function: { name, arguments: args } }, index) => ({
    id: id === undefined || id === '' ? callId(ask, from + index) : id,
    type: 'function',
    function: { name, arguments: JSON.stringify(args ?? {}) },
  }))
}

/** The call that was forced, out of the text that it had to be given as. */
export function forcedCall(ask: Ask, { name }: ForcedCall, text: string) {
  const said = JSON.parse(text) as { name?: string; arguments?: object }
  const call = name === null ? { name: said.name!, arguments: said.arguments } : { name, arguments: said }
  return callsOf(ask, [{ function: call }], 0)[0]!
}

/** OpenAI takes no ids of more than 40 characters, and a conversation may go on there. */
function callId({ requestId }: Ask, index: number): string {
  return `call_${requestId.slice(-30)}_${index + 1}`
}

/** As OpenAI tells them; null where they were not asked for. */
export function logprobsOf(logprobs: readonly Logprob[] | undefined): object | null {
  if (logprobs === undefined || logprobs.length === 0) return null
  const content = logprobs.map(({ top_logprobs: top = [], ...token }) => ({
    ...told(token),
    top_logprobs: top.map(told),
  }))
  return { content, refusal: null }
}

function told({ token, logprob, bytes }: Logprob) {
  return { token, logprob, bytes: bytes ?? [...Buffer.from(token)] }
}
