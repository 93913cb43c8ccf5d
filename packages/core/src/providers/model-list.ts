import { HooshError } from '../errors.js'
import type { UpstreamBody } from './provider.js'

/** More models than this are not listed. */
const MAX_MODELS = 10_000

/**
 * Ids out of a provider's list, at most 10,000.
 *
 * @param ids finds them; throws where there is no list
 * @throws HooshError `provider_error` where the answer is no list
 */
export async function modelIds(
  body: UpstreamBody,
  routeName: string,
  ids: (list: unknown) => string[] = openaiIds,
): Promise<string[]> {
  const text = await whole(body)
  try {
    return ids(JSON.parse(text)).slice(0, MAX_MODELS)
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

function whole(body: UpstreamBody): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    body.start({
      data: (chunk) => void chunks.push(chunk),
      end: () => resolve(Buffer.concat(chunks).toString('utf8')),
      fail: reject,
    })
  })
}
