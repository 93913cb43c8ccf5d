import { HooshError } from '../../errors.js'
import { createInflow, type Inflow } from '../inflow.js'
import type { UpstreamBody } from '../provider.js'
import type { StreamTranslator, Translation } from './dialect.js'
import type { CarryingMessage } from './keepsakes.js'
import { type Framer, ndjsonFramer, sseFramer } from './lines.js'

/** What a body needs to know of where it comes from. */
export interface BodyContext {
  readonly routeName: string
  readonly framing: 'sse' | 'ndjson'
  /** An error in the middle of an answer, in words that are not the dialect's own. */
  refused(body: string): HooshError
  /** Keeps what messages carry; what it returns is waited for before the end is told. */
  keep?(messages: readonly CarryingMessage[]): Promise<unknown> | undefined
}

/**
 * A provider's stream as OpenAI's events. One chunk in is at most one chunk out, so back-pressure, deadlines and aborts
 * are those of the source; an event costs no promise.
 */
export function eventBody(source: UpstreamBody, translator: StreamTranslator, context: BodyContext): UpstreamBody {
  const flow = behind(source)
  let out = ''
  let isEnding = false
  /** Whatever has been translated since is held back, which is no more than the last words. */
  let keeping: Promise<unknown> | undefined
  let isKept = context.keep === undefined || translator.message === undefined
  const translate = (data: string, isError = false) => {
    const json = parsed(data)
    if (json === undefined && !isError) throw isEnding ? brokenOff(context) : garbage(context)
    if (json !== undefined) out += translator.event(json)
    if (isError || isForeignError(json)) throw context.refused(data)
  }
  const framer: Framer = context.framing === 'sse' ? sseFramer(translate) : ndjsonFramer(translate)
  const flush = () => {
    if (!isKept) keepMessage()
    if (keeping !== undefined || out === '') return
    const text = out
    out = ''
    flow.push(Buffer.from(text))
  }
  const keepMessage = () => {
    const message = translator.message!()
    if (message === null) return
    isKept = true
    keeping = context.keep!([message])?.then(() => {
      keeping = undefined
      flush()
    })
  }
  const inOrder = (step: () => void) => {
    if (keeping === undefined) step()
    else void keeping.then(step)
  }
  /** What came before the fault is still delivered. */
  const guarded = (step: () => void): boolean => {
    try {
      step()
      flush()
      return true
    } catch (thrown) {
      flush()
      inOrder(() => flow.fail(asFault(thrown, context)))
      return false
    }
  }
  let isOver = false
  source.start({
    data(chunk) {
      if (isOver || guarded(() => framer.push(chunk))) return
      isOver = true
      source.abort()
    },
    end() {
      if (isOver) return
      isEnding = true
      const isWhole = guarded(() => {
        framer.end()
        out += translator.end?.() ?? ''
      })
      if (isWhole) inOrder(() => flow.end())
    },
    fail: (error) => inOrder(() => flow.fail(error)),
  })
  return flow.body
}

/** A provider's plain answer as OpenAI's. Of one that breaks off or is none, its own bytes are given for the bill. */
export function plainBody(source: UpstreamBody, reply: Translation['reply'], context: BodyContext): UpstreamBody {
  const flow = behind(source)
  const chunks: Uint8Array[] = []
  const fail = (error: HooshError) => {
    for (const chunk of chunks) flow.push(chunk)
    flow.fail(error)
  }
  const translated = () => {
    const json = parsed(Buffer.concat(chunks).toString('utf8'))
    if (json === undefined) throw garbage(context)
    const answer = reply(json)
    return { text: JSON.stringify(answer), keeping: context.keep?.(messagesOf(answer)) }
  }
  source.start({
    data: (chunk) => void chunks.push(chunk),
    end() {
      let answer: ReturnType<typeof translated>
      try {
        answer = translated()
      } catch (thrown) {
        return fail(asFault(thrown, context))
      }
      const deliver = () => {
        flow.push(Buffer.from(answer.text))
        flow.end()
      }
      if (answer.keeping === undefined) deliver()
      else void answer.keeping.then(deliver)
    },
    fail,
  })
  return flow.body
}

function messagesOf(answer: object): CarryingMessage[] {
  const { choices = [] } = answer as { choices?: readonly { message: CarryingMessage }[] }
  return choices.map(({ message }) => message)
}

function behind(source: UpstreamBody): Inflow {
  return createInflow({
    pause: () => source.pause(),
    resume: () => source.resume(),
    abort: () => source.abort(),
    over: () => undefined,
  })
}

/** Errors as servers and proxies of other dialects tell them. */
function isForeignError(json: unknown): boolean {
  const { object, type } = (json ?? {}) as { object?: unknown; type?: unknown }
  return object === 'error' || type === 'response.failed'
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whatever a translator throws that is no error of ours: the answer was not of the shape that it must have. */
function asFault(thrown: unknown, context: BodyContext): HooshError {
  return thrown instanceof HooshError ? thrown : garbage(context, thrown)
}

function garbage({ routeName }: BodyContext, cause?: unknown): HooshError {
  return new HooshError('provider_error', {
    message: `The provider "${routeName}" answered with something that is no answer.`,
    cause,
  })
}

function brokenOff({ routeName }: BodyContext): HooshError {
  return new HooshError('provider_error', {
    message: `The provider "${routeName}" broke off in the middle of its answer.`,
  })
}
