import { isUtf8 } from 'node:buffer'
import { HooshError } from '../../errors.js'
import { failureAfterSending } from '../failures.js'
import { createInflow, type Inflow } from '../inflow.js'
import type { UpstreamBody, UpstreamFailure } from '../provider.js'
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

/**
 * A provider's plain answer as OpenAI's, once what it carries is kept. Of one that is none, its own bytes are given for
 * the bill.
 */
export async function translatedAnswer(
  answer: Buffer,
  reply: Translation['reply'],
  context: Pick<BodyContext, 'routeName' | 'keep'>,
): Promise<Buffer | UpstreamFailure> {
  try {
    const json = isUtf8(answer) ? parsed(answer.toString('utf8')) : undefined
    if (json === undefined) throw garbage(context)
    const translated = reply(json)
    await context.keep?.(messagesOf(translated))
    return Buffer.from(JSON.stringify(translated))
  } catch (thrown) {
    return failureAfterSending(asFault(thrown, context), answer)
  }
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
function asFault(thrown: unknown, context: Pick<BodyContext, 'routeName'>): HooshError {
  return thrown instanceof HooshError ? thrown : garbage(context, thrown)
}

function garbage({ routeName }: Pick<BodyContext, 'routeName'>, cause?: unknown): HooshError {
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
