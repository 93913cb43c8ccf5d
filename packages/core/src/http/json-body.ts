import { isAscii } from 'node:buffer'
import { HooshError } from '../errors.js'
import type { GatewayRequest } from '../exchange.js'
import { checkText, checkValue } from './json-structure.js'

/** A JSON object that a request carries. */
export interface JsonBody {
  readonly value: Record<string, unknown>
  /** The body as it came, so that what changes nothing can go on unchanged; null where a host's parser has read it. */
  readonly bytes: Uint8Array | null
}

// Fatal, so that no replacement character slips into a prompt or a log. Drops a byte order mark.
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads a request's body as one JSON object within the limits of json-structure.ts.
 *
 * @param maxBytes enforced while reading; a larger body is not read to its end
 * @throws HooshError `unsupported_media_type`, `body_too_large`, `client_closed`, `invalid_json` where it is no JSON,
 *   `invalid_request` where it is JSON that is refused; `details.param` names the place
 */
export async function readJson(request: Pick<GatewayRequest, 'header' | 'body'>, maxBytes: number): Promise<JsonBody> {
  checkHeaders(request)
  const { body } = request
  if (body.parsed !== undefined) return { value: checkValue(body.parsed), bytes: null }
  const bytes = await body.bytes(maxBytes)
  return { value: parse(bytes), bytes: bytes[0] === 0xef ? bytes.subarray(3) : bytes }
}

function checkHeaders(request: Pick<GatewayRequest, 'header' | 'body'>): void {
  const type = request.header('content-type') ?? ''
  if (type !== 'application/json' && !isJson(type)) {
    throw unsupported(type === '' ? 'The request has no content type' : 'The body is of another type or charset')
  }
  const { body } = request
  if (body.isRead === true || body.parsed !== undefined) return
  const encoding = request.header('content-encoding')
  if (encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity') {
    throw unsupported('The body is compressed')
  }
}

function isJson(contentType: string): boolean {
  const [type, ...parameters] = contentType.toLowerCase().split(';')
  if (type!.trim() !== 'application/json') return false
  return parameters.every((parameter) => {
    const [name, value = ''] = parameter.split('=')
    return name!.trim() !== 'charset' || /^"?utf-?8"?$/.test(value.trim())
  })
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.byteLength === 0) throw notJson('The body is empty')
  const text = textOf(bytes)
  const members = checkText(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    // The parser's own message quotes the body, which belongs in no log.
    const position = /at position \d+/.exec(String(cause))
    throw notJson(`The body is not valid JSON${position === null ? '' : ` (${position[0]})`}`)
  }
  return checkValue(value, { text, members })
}

/** Most bodies are plain ASCII, which is told apart and copied in a third of the time. */
function textOf(bytes: Uint8Array): string {
  if (isAscii(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw notJson('The body is not UTF-8', cause)
  }
}

function unsupported(fact: string): HooshError {
  return new HooshError('unsupported_media_type', {
    message: `${fact}; send \`content-type: application/json\` in UTF-8, uncompressed.`,
  })
}

function notJson(fact: string, cause?: unknown): HooshError {
  return new HooshError('invalid_json', { message: `${fact}; send one JSON object in UTF-8.`, cause })
}
