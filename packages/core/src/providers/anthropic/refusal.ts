import type { HooshError } from '../../errors.js'
import type { RefusedAnswer } from '../failures.js'
import type { Ask } from '../translated/dialect.js'

/** Statuses of Anthropic's error types (API reference, errors). */
const STATUSES: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
}

/** An account without credit is told as the caller's fault, which it is not. */
const OUT_OF_CREDIT = /credit balance is too low/i

/** The error that an answer or an event is; null where it is none. */
export function errorIn(ask: Ask, json: unknown): HooshError | null {
  const { type, error } = json as { type?: unknown; error?: { type?: unknown } | null }
  if (type !== 'error' && error == null) return null
  const said = JSON.stringify(json)
  return ask.refused(corrected(STATUSES[String(error?.type)] ?? 500, said), said)
}

/** A refusal as it is meant. */
export function refusalMeant(answer: RefusedAnswer): RefusedAnswer {
  return { ...answer, status: corrected(answer.status, answer.body) }
}

function corrected(status: number, body: string): number {
  return status === 400 && OUT_OF_CREDIT.test(body) ? 402 : status
}
