/** What an error tells beside its sentence. Every field may reach the client, so nothing secret belongs here. */
export interface ErrorDetails {
  /** The request field at fault, dotted: `messages.0.content`. */
  param?: string
  /** After how many milliseconds the same call may succeed. */
  retryAfterMs?: number
  pool?: string
  /** Tokens left in the pool. */
  available?: number
  /** Money left in the pool, a decimal string of USD. */
  availableUsd?: string
  /** When the pool's window ends, ISO 8601; null for a lifetime pool. */
  resetsAt?: string | null
  /** Nothing a repetition could change, or a repetition could be billed twice: sent as `x-should-retry: false`. */
  retryable?: boolean
  /** What a provider answered, passed on under its own status and code. */
  upstream?: { status: number; type?: string; code?: string | null; param?: string | null }
  /** What the audit log says in place of the message, where that has a provider's own words: they may quote the prompt. */
  recorded?: string
  /** What was found in the content, by name; for records, not for the client. */
  dlp?: { readonly level: string; readonly patterns: readonly string[] }
  /** Headers of the answer that tell more: `x-ratelimit-*`. */
  headers?: Readonly<Record<string, string>>
  /** Methods that the path knows, for `Allow`. */
  allow?: string
}

type Row = readonly [status: number, type: string, help: string]

/** Every code, its HTTP status, OpenAI's type, and what whoever meets it can do (docs/errors.md is compared with it). */
export const ERRORS = {
  unauthenticated: [401, 'authentication_error', 'Send the credentials that the host app expects.'],
  forbidden: [403, 'permission_error', 'Ask for the role that this endpoint needs.'],
  identify_failed: [500, 'api_error', "The host's `identify` threw; its cause is in the log."],
  hook_failed: [500, 'api_error', "A function of the host's threw; its cause is in the log."],
  model_not_allowed: [403, 'permission_error', 'Use a model that your identity may use.'],
  tool_not_allowed: [403, 'permission_error', 'Leave out the tool that the message names.'],
  pool_not_allowed: [403, 'permission_error', 'Name a pool of your own identity, or none.'],
  pool_frozen: [403, 'permission_error', 'Nothing can be spent from this pool until an admin unfreezes it.'],
  content_blocked: [403, 'permission_error', 'Leave out what the message names.'],
  no_local_route: [
    403,
    'permission_error',
    'Use a model that a local route serves, or leave out what the message names.',
  ],
  classifier_failed: [
    503,
    'api_error',
    "The host's classifier failed, so the call was not made; its cause is in the log.",
  ],
  invalid_json: [400, 'invalid_request_error', 'Send one JSON object in UTF-8.'],
  invalid_request: [400, 'invalid_request_error', 'Mend the field that `param` names.'],
  unsupported_parameter: [
    400,
    'invalid_request_error',
    'Leave out the field that `param` names, or send `drop_unsupported: true`.',
  ],
  invalid_audit_details: [
    400,
    'invalid_request_error',
    'Record strings, safe integers, booleans, null, arrays, objects.',
  ],
  unsupported_media_type: [415, 'invalid_request_error', 'Send `content-type: application/json`, uncompressed.'],
  body_too_large: [413, 'invalid_request_error', 'Send less, or raise `maxBodyBytes`.'],
  client_closed: [499, 'invalid_request_error', 'The client closed the connection before the answer.'],
  not_found: [404, 'invalid_request_error', 'Check the path and the id.'],
  method_not_allowed: [405, 'invalid_request_error', 'Use a method that `Allow` names.'],
  model_not_found: [404, 'invalid_request_error', 'Name a model that `GET /v1/models` lists or a route matches.'],
  unknown_pool: [404, 'invalid_request_error', 'Add a template for this pool to `pools`, or PUT it.'],
  unknown_run: [404, 'invalid_request_error', 'Open another run: this one is over, or was never yours.'],
  unpriced_model: [400, 'invalid_request_error', "Add the model to `prices`, or give the pool `unpriced: 'allow'`."],
  budget_exceeded: [429, 'insufficient_quota', 'Wait until the window opens, or ask for a larger pool.'],
  too_many_reservations: [429, 'rate_limit_error', 'Settle or release open reservations first.'],
  too_many_runs: [429, 'rate_limit_error', 'Close runs that have done their work first.'],
  too_many_keys: [429, 'rate_limit_error', 'Revoke keys that are not needed first.'],
  rate_limit_exceeded: [429, 'rate_limit_error', 'Wait as long as `Retry-After` says.'],
  concurrency_exceeded: [429, 'rate_limit_error', 'Wait until one of your running calls has ended.'],
  reservation_conflict: [409, 'invalid_request_error', 'The id was used with other values; use a new one.'],
  entry_conflict: [409, 'invalid_request_error', 'The id was used with other values; repeat those, or use a new id.'],
  not_held: [404, 'invalid_request_error', 'No such reservation was ever made.'],
  idempotency_mismatch: [422, 'invalid_request_error', 'Use a new Idempotency-Key for a new request.'],
  idempotency_unknown: [409, 'invalid_request_error', "Look for the call's effect, then use a new Idempotency-Key."],
  cache_full: [503, 'api_error', 'The cache has no room for another Idempotency-Key; try later, or without one.'],
  lease_lost: [503, 'api_error', "The call's hold could not be renewed in time; try again."],
  store_unavailable: [503, 'api_error', 'The storage does not answer; try again.'],
  shutting_down: [503, 'api_error', 'The app is stopping; try again, on another instance.'],
  not_ready: [503, 'api_error', 'The gateway could not start; its log says why.'],
  invalid_options: [500, 'api_error', 'Mend the option that the message names.'],
  provider_auth: [502, 'api_error', "The provider refused the gateway's own key; its operator has to mend it."],
  provider_error: [502, 'api_error', 'The provider failed; try again, or another model.'],
  provider_rejected: [400, 'invalid_request_error', 'The provider refused the request; its own words say why.'],
  provider_rate_limited: [429, 'rate_limit_error', 'Every provider of this model is limiting us; wait.'],
  providers_unavailable: [503, 'api_error', 'Every provider of this model is failing; try again soon.'],
  providers_busy: [503, 'api_error', 'Every provider of this model has as many calls as it takes; try again soon.'],
  connect_timeout: [504, 'api_error', 'The provider took no connection in time; try again.'],
  first_byte_timeout: [504, 'api_error', 'The provider did not start to answer in time.'],
  idle_timeout: [504, 'api_error', 'The provider fell silent in the middle of its answer.'],
  total_timeout: [504, 'api_error', 'The call took longer than its deadline.'],
  internal_error: [500, 'api_error', 'A fault of the gateway; report it with the request id.'],
} as const satisfies Record<string, Row>

/** A code of the table `ERRORS`. */
export type ErrorCode = keyof typeof ERRORS

/** The one error of hoosh: a code of the table, a sentence that says what to do, and the facts. */
export class HooshError extends Error {
  override readonly name = 'HooshError'
  readonly code: ErrorCode
  /** HTTP status: the provider's own where its refusal is passed on. A plain property, since Koa assigns it. */
  readonly status: number
  /** OpenAI's error type. */
  readonly type: string
  readonly details: ErrorDetails

  constructor(code: ErrorCode, options: { message?: string; details?: ErrorDetails; cause?: unknown } = {}) {
    super(options.message ?? ERRORS[code][2], options.cause === undefined ? undefined : { cause: options.cause })
    const { details = {} } = options
    this.code = code
    this.status = details.upstream?.status ?? ERRORS[code][0]
    this.type = details.upstream?.type ?? ERRORS[code][1]
    this.details = details
  }
}

/** The error for a field of a request, or of what the host's own code gives: its name, and what it must be. */
export function invalidField(param: string, what: string): HooshError {
  return new HooshError('invalid_request', { message: `${param}: ${what}`, details: { param } })
}

/** An object that the host's code gives, as it stands: types ask for it, but JavaScript may leave it out. */
export function givenObject<T extends object>(param: string, value: T): T {
  if (typeof value === 'object' && value !== null) return value
  throw invalidField(param, 'must be an object')
}

/** A process that stops is replaced, or there are others, so a client need not wait for long. */
export function shuttingDown(): HooshError {
  return new HooshError('shutting_down', { details: { retryAfterMs: 1_000 } })
}

/** Anything thrown, as a HooshError; what is none becomes `internal_error` with the thrown value as its cause. */
export function asHooshError(thrown: unknown): HooshError {
  return thrown instanceof HooshError ? thrown : new HooshError('internal_error', { cause: thrown })
}

/** Whether whoever calls is told what a function of the host threw. Not of options: they are the host's own to mend. */
export function isForCallers(thrown: unknown): thrown is HooshError {
  return thrown instanceof HooshError && thrown.code !== 'invalid_options'
}

/** What a function of the host threw: an error for callers as it is, anything else as `hook_failed` that says which function. */
export function hookFailed(name: string, thrown: unknown): HooshError {
  if (isForCallers(thrown)) return thrown
  const message = `The host's function \`${name}\` failed; its cause is in the log.`
  return new HooshError('hook_failed', { message, cause: thrown })
}
