import { HooshError } from '../errors.js'
import type { UpstreamBody } from './provider.js'

/** More models than this are not listed. */
const MAX_MODELS = 10_000

/** Reads `{ data: [{ id }] }`, or the same list bare. Throws `provider_error` where it is neither. */
export async function modelIds(body: UpstreamBody, routeName: string): Promise<string[]> {
  const text = await whole(body)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw noList(routeName, cause)
  }
  const list = typeof parsed === 'object' && parsed !== null && 'data' in parsed ? parsed.data : parsed
  if (!Array.isArray(list)) throw noList(routeName)
  return list.slice(0, MAX_MODELS).flatMap((one: unknown) => {
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
