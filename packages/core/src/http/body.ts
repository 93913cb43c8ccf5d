import { HooshError } from '../errors.js'
import type { BodySource } from '../exchange.js'

/** A body that is in memory already, as a host's raw or text parser leaves it. */
export function bodyInMemory(body: Uint8Array | string): BodySource {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  return {
    isRead: true,
    bytes: async (maxBytes) => {
      if (bytes.byteLength > maxBytes) throw bodyTooLarge(maxBytes)
      return bytes
    },
  }
}

/** A body that a host's parser has turned into `parsed`; its bytes are gone. */
export function parsedBody(parsed: unknown): BodySource {
  return { parsed, bytes: () => Promise.reject(bodyGone()) }
}

export function bodyTooLarge(maxBytes: number): HooshError {
  return new HooshError('body_too_large', {
    message: `The body is larger than ${maxBytes} bytes; send less, or raise \`maxBodyBytes\`.`,
  })
}

/** For a stream that somebody has read without leaving anything. */
export function bodyGone(remedy = 'mount hoosh before body parsers'): HooshError {
  return new HooshError('invalid_request', {
    message: `The host app has read the body before hoosh could; ${remedy}.`,
  })
}

export function clientClosed(): HooshError {
  return new HooshError('client_closed')
}
