import { HooshError } from '../errors.js'

/** More models than this are not listed. */
const MAX_MODELS = 10_000

/**
 * Ids out of a provider's list, at most 10,000.
 *
 * @param ids finds them; throws where there is no list
 * @throws HooshError `provider_error` where the answer is no list
 */
export function modelIds(answer: Buffer, routeName: string, ids: (list: unknown) => string[] = openaiIds): string[] {
  try {
    return ids(JSON.parse(answer.toString('utf8'))).slice(0, MAX_MODELS)
  } catch (cause) {
    throw noList(routeName, cause)
  }
}

/** Reads `{ data: [{ id }] }`, or the same list bare. */
export function openaiIds(parsed: unknown): string[] {
  const list = typeof parsed === 'object' && parsed !== null && 'data' in parsed ? parsed.data : parsed
  if (!Array.isArray(list)) throw new HooshError('provider_error')
  return list.flatMap((one: unknown) => {
    const id = typeof one === 'object' && one !== null && 'id' in one ? one.id : undefined
    return typeof id === 'string' && id !== '' ? [id] : []
  })
}

function noList(routeName: string, cause?: unknown): HooshError {
  return new HooshError('provider_error', { message: `The provider "${routeName}" sent no list of models.`, cause })
}
