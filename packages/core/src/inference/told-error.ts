import { errorBody } from '../error-body.js'
import { HooshError } from '../errors.js'
import { providerMessage } from '../providers/provider-message.js'
import { parseData } from './stream-event.js'

/**
 * The last event of a stream in which the provider reported an error: its own where it is of OpenAI's shape, else what it
 * says in that shape, so that SDKs raise.
 *
 * @param event as it came
 * @param redact removes the route's secrets
 */
export function toldError(event: Buffer, redact: (text: string) => string): { error: HooshError; event: string } {
  const json = parseData(event.toString('latin1')) as { error?: { message?: unknown } | null } | null
  const said = json === null ? null : providerMessage(JSON.stringify(json), redact)
  const error = new HooshError('provider_error', {
    message: said?.message ?? 'The provider reported an error in the middle of its answer.',
  })
  const isOurs = typeof json?.error === 'object' && typeof json.error?.message === 'string' && 'code' in json.error
  const own = redact(event.toString('utf8'))
  return { error, event: isOurs ? own : `data: ${JSON.stringify(errorBody(error))}\n\n` }
}
