import { unreadable } from './media.js'

/**
 * What a call of a function was made with, as an object; none for no text.
 *
 * @param param where it stands, for errors: `messages.3.tool_calls.0.function.arguments`
 * @throws HooshError `invalid_request` for anything but a JSON object
 */
export function argumentsOf(text: unknown, param: string): object {
  if (text === undefined || text === null || text === '') return {}
  try {
    const args: unknown = typeof text === 'string' ? JSON.parse(text) : text
    if (typeof args === 'object' && args !== null && !Array.isArray(args)) return args
  } catch {
    // told below
  }
  throw unreadable(param, 'must be a JSON object')
}
