/** What a request may hold that cannot be read here. */
export const UNREADABLE = ['image', 'audio', 'file', 'token_ids'] as const
export type Unreadable = (typeof UNREADABLE)[number]

const DATA_URL = /^data:([^,]{0,200});base64,/
/** What may stand before the data and tell nothing; anything longer is read. */
const PLAIN_TYPE = /^data:(?:image|audio|video|application)\/[a-z]{2,8}\d{0,2};base64,$/
/** Fields that hold base64 without saying so, and of what. */
const BARE: Readonly<Record<string, Unreadable>> = { data: 'audio', file_data: 'file' }
const BARE_BASE64 = /^[A-Za-z0-9+/\r\n]{256}/
/** Base64 that is shorter is read like a text, unless it is too short to hold anything. */
const SHORT = 256
const NOTHING = 12

/** Reads a string but for what of it is an image, a sound or a file, and says what these are. */
export function readAround(
  text: string,
  field: string,
  to: { read(text: string): string; data?(kind: Unreadable): void },
): string {
  const media = mediaIn(text, field)
  if (media === null) return to.read(text)
  to.data?.(media.kind)
  const beginning = text.slice(0, media.from)
  if (beginning === '' || PLAIN_TYPE.test(beginning)) return text
  return to.read(beginning) + text.slice(media.from)
}

/** The kind of a string that is data or says so, and where what cannot be read of it begins; null for a text. */
function mediaIn(text: string, field: string): { kind: Unreadable; from: number } | null {
  const url = text.startsWith('data:') ? DATA_URL.exec(text) : null
  if (url !== null) return { kind: kindOf(url[1]!), from: unreadableFrom(text, url[0].length) }
  if (!Object.hasOwn(BARE, field) || !BARE_BASE64.test(text)) return null
  return { kind: BARE[field]!, from: unreadableFrom(text, 0) }
}

function kindOf(type: string): Unreadable {
  return type.startsWith('image/') ? 'image' : type.startsWith('audio/') ? 'audio' : 'file'
}

/** Only what is base64 (RFC 4648, 4) up to its end, so that it is the same when it is written anew. Nothing is copied: 1 MB takes 1 ms. */
function unreadableFrom(text: string, from: number): number {
  const length = text.length - from
  if (length === 0) return from
  if (length % 4 !== 0 || (length > NOTHING && length < SHORT)) return text.length
  NO_BASE64.lastIndex = from
  const end = NO_BASE64.exec(text)?.index ?? text.length
  const padding = text.length - end
  if (padding > 2 || !text.endsWith('=='.slice(0, padding))) return text.length
  const last = text.slice(-4)
  return Buffer.from(last, 'base64').toString('base64') === last ? from : text.length
}

const NO_BASE64 = /[^A-Za-z0-9+/]/g
