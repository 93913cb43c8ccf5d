import { HooshError } from '../../errors.js'
import type { Clock } from '../../time.js'
import { type FailureContext, failureAfterSending, failureOfConnection, failureOfStatus } from '../failures.js'
import type { UpstreamFailure } from '../provider.js'
import { retryAfterMs } from '../retry-after.js'
import type { Json } from './messages.js'

/**
 * What an error of a package means. Those of the AI SDK are told by their names, since each package brings its own copies
 * of their classes.
 */
export function failureOfError(thrown: unknown, context: FailureContext & { readonly clock: Clock }): UpstreamFailure {
  if (thrown instanceof HooshError) return unsent(thrown)
  const { name, statusCode, responseBody, responseHeaders, message } = (thrown ?? {}) as Json
  if (typeof statusCode === 'number') {
    const headers = (responseHeaders ?? {}) as Readonly<Record<string, string | undefined>>
    const body = typeof responseBody === 'string' ? responseBody : JSON.stringify({ error: { message } })
    const wait = retryAfterMs((header) => headers[header], context.clock())
    return failureOfStatus({ status: statusCode, body, retryAfterMs: wait }, context)
  }
  switch (name) {
    case 'AI_NoSuchModelError':
      return unsent(
        new HooshError('model_not_found', {
          message: `The provider "${context.routeName}" has no such model.`,
          details: { param: 'model' },
          cause: thrown,
        }),
      )
    case 'AI_UnsupportedFunctionalityError':
      return unsent(
        new HooshError('unsupported_parameter', {
          message: `The provider "${context.routeName}" cannot do what the request asks: ${context.clean(String((thrown as Json).functionality ?? message))}.`,
          cause: thrown,
        }),
      )
    case 'AI_LoadAPIKeyError':
    case 'AI_LoadSettingError': {
      const error = new HooshError('provider_auth', {
        message: `The provider "${context.routeName}" has no key, or lacks a setting.`,
        cause: thrown,
      })
      return { ok: false, error, retryable: true, mayBill: false, blameless: false }
    }
    case 'AI_InvalidPromptError':
    case 'AI_TooManyEmbeddingValuesForCallError':
      return unsent(new HooshError('invalid_request', { message: context.clean(String(message)), cause: thrown }))
    case 'AI_TypeValidationError':
    case 'AI_JSONParseError':
    case 'AI_InvalidResponseDataError':
    case 'AI_EmptyResponseBodyError':
      return failureAfterSending(
        new HooshError('provider_error', {
          message: `The provider "${context.routeName}" answered with something that is no answer.`,
          cause: thrown,
        }),
      )
    default:
      // Whether anything was sent is not known: in doubt it was.
      return failureOfConnection(thrown as Error, true, context)
  }
}

function unsent(error: HooshError): UpstreamFailure {
  const retryable = error.code === 'unsupported_parameter' || error.code === 'model_not_found'
  return { ok: false, error, retryable, mayBill: false, blameless: true, unsent: true }
}
