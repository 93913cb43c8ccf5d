import type { HooshError } from '../../errors.js'
import type { RefusedAnswer } from '../failures.js'
import type { Ask } from '../translated/dialect.js'

type Json = Readonly<Record<string, unknown>>

/** The key or the account of the gateway, told as the caller's fault. */
const OUR_KEY = /API_KEY_INVALID|API_KEY_SERVICE_BLOCKED|CONSUMER_SUSPENDED|API key (?:not valid|expired)/i
const OUR_PLACE = /User location is not supported/i

/** The error that an answer or an event is, alone or first of a list; null where it is none. */
export function errorIn(ask: Ask, json: unknown): HooshError | null {
  const { error } = (Array.isArray(json) ? json[0] : json) as { error?: Json | null }
  if (error == null) return null
  const status = typeof error.code === 'number' && error.code >= 400 ? error.code : 500
  const meant = refusalMeant({ status, body: JSON.stringify({ error }), retryAfterMs: undefined })
  return ask.refused(meant.status, meant.body)
}

/** A refusal as it is meant, with its words where OpenAI's stand: a bad key comes as 400, the time to wait in a detail. */
export function refusalMeant(answer: RefusedAnswer): RefusedAnswer {
  const error = errorOf(answer.body)
  if (error === null) return answer
  const details = (Array.isArray(error.details) ? error.details : []) as Json[]
  const detail = (type: string) => details.find((one) => String(one['@type']).endsWith(type))
  const reason = detail('ErrorInfo')?.reason
  const field = ((detail('BadRequest')?.fieldViolations ?? []) as Json[])[0]?.field
  const { message, status } = error
  const said = { message, type: status, code: reason ?? status, ...(field === undefined ? {} : { param: field }) }
  return {
    status: corrected(answer.status, `${reason} ${message}`),
    body: JSON.stringify({ error: said }),
    retryAfterMs: answer.retryAfterMs ?? delayOf(detail('RetryInfo')?.retryDelay),
  }
}

function corrected(status: number, said: string): number {
  if (status !== 400) return status
  if (OUR_KEY.test(said)) return 401
  return OUR_PLACE.test(said) ? 403 : status
}

function errorOf(body: string): Json | null {
  try {
    const json = JSON.parse(body) as unknown
    const { error } = (Array.isArray(json) ? json[0] : json) as { error?: unknown }
    return typeof error === 'object' && error !== null ? (error as Json) : null
  } catch {
    return null
  }
}

/** `34.07s` in milliseconds. */
function delayOf(delay: unknown): number | undefined {
  const seconds = typeof delay === 'string' ? /^(\d+(?:\.\d+)?)s$/.exec(delay)?.[1] : undefined
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) * 1_000)
}
