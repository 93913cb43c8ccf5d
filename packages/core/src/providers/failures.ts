import { HooshError } from '../errors.js'
import type { UpstreamFailure } from './provider.js'
import { providerMessage, wordsOf } from './provider-message.js'

/** How failures name the route and what they keep quiet about. */
export interface FailureContext {
  readonly routeName: string
  /** Removes the route's secrets. */
  readonly clean: (text: string) => string
  /** What the route's dialect knows better than the status. */
  readonly refusal?: (answer: RefusedAnswer) => RefusedAnswer
}

/** An answer that is none: its status, and as much of its body as was read. */
export interface RefusedAnswer {
  readonly status: number
  readonly body: string
  readonly retryAfterMs: number | undefined
}

/** 4xx that a repetition, or another provider, may turn into an answer. 409 and 425 are about timing, 408 about ours. */
const PASSING_4XX = new Set([408, 409, 425, 429])
/** Our key, our account, our plan: never the caller's fault, and the key's rather than the route's. */
const OUR_ACCOUNT = new Set([401, 402, 403])
/** Characters of a provider's own words about its own fault. */
const LONGEST_EXCUSE = 300

/** What an answer that is not 2xx means. Redirects are failures too: a request with a key never follows one. */
export function failureOfStatus(came: RefusedAnswer, context: FailureContext): UpstreamFailure {
  const answer = context.refusal?.(came) ?? came
  const { status } = answer
  const said = providerMessage(answer.body, context.clean)
  const wait = answer.retryAfterMs === undefined ? {} : { retryAfterMs: answer.retryAfterMs }
  const retry = (error: HooshError, mayBill: boolean, blameless: boolean): UpstreamFailure => {
    return { ok: false, error, retryable: true, mayBill, blameless, ...wait }
  }
  const recorded = `The provider "${context.routeName}" answered ${status}${wordsOf(said)}.`
  const excuse = said?.message === undefined ? '.' : `: ${said.message.split('\n', 1)[0]!.slice(0, LONGEST_EXCUSE)}`
  const answered = `The provider "${context.routeName}" answered ${status}${excuse}`
  if (OUR_ACCOUNT.has(status)) {
    const message = `The provider "${context.routeName}" refused the gateway's own key or account (${status}).`
    return retry(new HooshError('provider_auth', { message, cause: answered }), false, true)
  }
  if (status === 429)
    return retry(
      new HooshError('provider_rate_limited', { message: answered, details: { ...wait, recorded } }),
      false,
      true,
    )
  if (PASSING_4XX.has(status))
    return retry(new HooshError('provider_error', { message: answered, details: { recorded } }), false, status !== 408)
  if (status >= 400 && status < 500)
    return {
      ok: false,
      error: rejection(status, said, context),
      retryable: false,
      mayBill: false,
      blameless: true,
      ...wait,
    }
  return retry(
    new HooshError('provider_error', { message: answered, details: { ...wait, recorded } }),
    status < 500 || said === null,
    false,
  )
}

/** The caller's own fault, in the provider's words. */
function rejection(status: number, said: ReturnType<typeof providerMessage>, context: FailureContext): HooshError {
  return new HooshError('provider_rejected', {
    message: said?.message ?? `The provider "${context.routeName}" refused the request (${status}) and said no more.`,
    details: {
      recorded: `The provider "${context.routeName}" refused the request (${status})${wordsOf(said)}.`,
      ...(said?.param === undefined ? {} : { param: said.param }),
      upstream: {
        status,
        ...(said?.type === undefined ? {} : { type: said.type }),
        ...(said?.code === undefined ? {} : { code: said.code }),
        ...(said?.param === undefined ? {} : { param: said.param }),
      },
    },
  })
}

/** Ends of a connection that had been made; the next one may hold. */
const LOST = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

/** A connection that was never made (`sent` false: nothing can have been billed), or broke before the head came. */
export function failureOfConnection(cause: Error, sent: boolean, context: FailureContext): UpstreamFailure {
  const { code } = cause as NodeJS.ErrnoException
  if (!sent && code === 'UND_ERR_CONNECT_TIMEOUT') {
    const error = new HooshError('connect_timeout', {
      message: `The provider "${context.routeName}" took no connection in time.`,
      cause,
    })
    return { ok: false, error, retryable: true, mayBill: false, blameless: false }
  }
  const how = sent ? 'broke the connection before it answered' : 'cannot be reached'
  const message = `The provider "${context.routeName}" ${how}${code === undefined ? '' : ` (${code})`}.`
  const error = new HooshError('provider_error', { message, cause })
  const lost = !sent && code !== undefined && LOST.has(code) ? { connectionLost: true } : {}
  return { ok: false, error, retryable: true, mayBill: sent, blameless: false, ...lost }
}

/**
 * An attempt that we gave up: the caller has gone, or another candidate won.
 *
 * @param received what had come of a plain answer
 */
export function failureOfAbort(sent: boolean, received?: Buffer): UpstreamFailure {
  const error = new HooshError('client_closed')
  const failure = { ok: false as const, error, retryable: false, mayBill: sent, blameless: true }
  return received === undefined ? failure : { ...failure, received }
}

/**
 * A provider that was asked and did not answer properly, or not to the end: it may bill for it.
 *
 * @param received what had come of a plain answer
 */
export function failureAfterSending(error: HooshError, received?: Buffer): UpstreamFailure {
  const failure = { ok: false as const, error, retryable: true, mayBill: true, blameless: false }
  return received === undefined ? failure : { ...failure, received }
}
