import type { Quirks } from '../config/provider-catalog.js'
import { HooshError } from '../errors.js'
import { createInflow } from './inflow.js'
import type { UpstreamBody } from './provider.js'
import { sseFramer } from './translated/lines.js'

type Json = Record<string, unknown>

/** Puts right what a server of OpenAI's dialect says otherwise; whatever it need not touch it leaves as it came. */
export interface Mending {
  answer(bytes: Buffer): Buffer
  stream(body: UpstreamBody): UpstreamBody
}

/** Null for a provider with nothing to mend: its answers are relayed as bytes. */
export function mendingFor(quirks: Quirks): Mending | null {
  if (quirks.reasoningField === undefined && quirks.looseChoices !== true) return null
  const mend = (text: string): string => (mayNeed(text, quirks) ? mended(text, quirks) : text)
  return {
    answer(bytes) {
      const text = bytes.toString('utf8')
      const mendedText = mend(text)
      return mendedText === text ? bytes : Buffer.from(mendedText)
    },
    stream: (body) => mendedStream(body, mend),
  }
}

/** One chunk in is at most one chunk out, so back-pressure, deadlines and aborts are those of the source. */
function mendedStream(source: UpstreamBody, mend: (data: string) => string): UpstreamBody {
  const flow = createInflow({
    pause: () => source.pause(),
    resume: () => source.resume(),
    abort: () => source.abort(),
    over: () => undefined,
  })
  let out = ''
  const framer = sseFramer((data, isError) => {
    const name = isError ? 'event: error\n' : ''
    out += `${name}data: ${mend(data).replaceAll('\n', '\ndata: ')}\n\n`
  })
  const flush = () => {
    if (out === '') return
    flow.push(Buffer.from(out))
    out = ''
  }
  let isOver = false
  const guarded = (step: () => void) => {
    if (isOver) return
    try {
      step()
      flush()
    } catch (thrown) {
      isOver = true
      flush()
      source.abort()
      flow.fail(thrown instanceof HooshError ? thrown : new HooshError('provider_error', { cause: thrown }))
    }
  }
  source.start({
    data: (chunk) => guarded(() => framer.push(chunk)),
    end() {
      guarded(() => framer.end())
      if (!isOver) flow.end()
    },
    fail(error) {
      if (!isOver) flow.fail(error)
    },
  })
  return flow.body
}

/** Most events need nothing, and need not be parsed to know it. */
function mayNeed(text: string, { reasoningField, looseChoices }: Quirks): boolean {
  if (reasoningField !== undefined && text.includes(`"${reasoningField}"`)) return true
  return looseChoices === true && (text.includes('"tool_calls"') || !text.includes('"index"'))
}

function mended(text: string, quirks: Quirks): string {
  let json: { choices?: unknown } | null
  try {
    json = JSON.parse(text)
  } catch {
    return text
  }
  if (typeof json !== 'object' || !Array.isArray(json?.choices)) return text
  json.choices.forEach((choice: unknown, index) => {
    if (isObject(choice)) mendChoice(choice, index, quirks)
  })
  return JSON.stringify(json)
}

function mendChoice(choice: Json, index: number, { reasoningField, looseChoices }: Quirks): void {
  const said = isObject(choice.delta) ? choice.delta : choice.message
  if (looseChoices === true) choice.index ??= index
  if (!isObject(said)) return
  if (reasoningField !== undefined && typeof said[reasoningField] === 'string') {
    said.reasoning_content ??= said[reasoningField]
  }
  if (looseChoices === true && Array.isArray(said.tool_calls)) mendCalls(said.tool_calls, said === choice.delta)
}

/** Deltas are told apart by their index; whole calls have none. */
function mendCalls(calls: unknown[], isDelta: boolean): void {
  calls.forEach((call, index) => {
    if (!isObject(call)) return
    if (isDelta) call.index ??= index
    const { function: called } = call
    if (isObject(called) && typeof called.arguments === 'object' && called.arguments !== null) {
      called.arguments = JSON.stringify(called.arguments)
    }
  })
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
