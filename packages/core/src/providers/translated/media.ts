import { HooshError } from '../../errors.js'

/** Where an image, a recording or a file is: at a URL, or in the request itself. */
export type Media =
  | { readonly type: 'url'; readonly url: string }
  | { readonly type: 'base64'; readonly mediaType: string; readonly data: string }

/** `data:image/png;base64,...`, with parameters that nobody reads. */
const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[\w=.+-]+)*?(;base64)?,/i

/**
 * Reads an http(s) or a data: URL.
 *
 * @param param where it stands, for errors: `messages.3.content.0.image_url.url`
 * @throws HooshError `invalid_request` for anything else
 */
export function mediaOf(url: string, param: string): Media {
  if (/^https?:\/\//i.test(url)) return { type: 'url', url }
  const match = DATA_URL.exec(url.slice(0, 256))
  if (match === null) throw unreadable(param, 'is neither an http(s) URL nor a data: URL')
  const [head, mediaType = 'text/plain', isBase64] = match
  const data = url.slice(head.length)
  const base64 = isBase64 === undefined ? Buffer.from(decodeURIComponent(data)).toString('base64') : data
  return { type: 'base64', mediaType: mediaType.toLowerCase(), data: base64 }
}

/** What no provider could read: the field and what is wrong with it. */
export function unreadable(param: string, what: string): HooshError {
  return new HooshError('invalid_request', { message: `${param} ${what}.`, details: { param } })
}
