import { HooshError } from '../../errors.js'
import type { Clock } from '../../time.js'
import { type FailureContext, failureOfStatus } from '../failures.js'
import type { UpstreamFailure, UpstreamRequest } from '../provider.js'
import type { Ask } from './dialect.js'

/**
 * A request as a translation sees it.
 *
 * @param dropped takes the names of fields that are left out or adapted
 */
export function askOf(
  context: FailureContext & { readonly clock: Clock },
  request: UpstreamRequest,
  isStream: boolean,
  dropped: Set<string>,
): Ask {
  const { routeName, clock } = context
  const { kind, model, params, requestId } = request
  return {
    kind,
    stream: isStream,
    model,
    params,
    requestId,
    created: Math.floor(clock() / 1_000),
    cannot(param, why) {
      if (request.dropUnsupported === true) return void dropped.add(param)
      throw unsupported(routeName, param, why, 'Leave it out, or send `drop_unsupported: true` to have it left out.')
    },
    adapted: (param) => void dropped.add(param),
    impossible: (param, why) => unsupported(routeName, param, why, 'Use another model.'),
    refused: (status, body) => failureOfStatus({ status, body, retryAfterMs: undefined }, context).error,
  }
}

function unsupported(routeName: string, param: string, why: string | undefined, help: string): HooshError {
  const because = why === undefined ? '' : `: ${why}`
  return new HooshError('unsupported_parameter', {
    message: `The provider "${routeName}" cannot do what \`${param}\` asks${because}. ${help}`,
    details: { param },
  })
}

/** Nothing was sent. Another provider may be able to do what this one cannot. */
export function notAsked(thrown: unknown, { params }: UpstreamRequest): UpstreamFailure {
  const error =
    thrown instanceof HooshError
      ? thrown
      : new HooshError('invalid_request', {
          message: 'The request has a shape that cannot be translated for this provider.',
          details: { param: 'messages' in params ? 'messages' : 'input' },
          cause: thrown,
        })
  const retryable = error.code === 'unsupported_parameter'
  return { ok: false, error, retryable, mayBill: false, blameless: true, unsent: true }
}
