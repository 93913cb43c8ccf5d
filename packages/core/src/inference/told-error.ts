import { errorBody } from '../error-body.js'
import { HooshError } from '../errors.js'
import { cleanedBody, providerMessage, wordsOf } from '../providers/provider-message.js'
import { parseData } from './stream-event.js'

/**
 * The last event of a stream in which the provider reported an error: all that it said where that is of OpenAI's shape,
 * else its message in that shape, so that SDKs raise. Written anew from what its JSON means, without secrets.
 *
 * @param event as it came
 * @param redact removes the route's secrets
 */
export function toldError(event: Buffer, redact: (text: string) => string): { error: HooshError; event: string } {
  const json = cleanedBody(parseData(event.toString('latin1')), redact) as {
    error?: { message?: unknown } | null
  } | null
  const said = json === null ? null : providerMessage(JSON.stringify(json), (cleaned) => cleaned)
  const what = 'The provider reported an error in the middle of its answer'
  const error = new HooshError('provider_error', {
    message: said?.message ?? `${what}.`,
    details: { recorded: `${what}${wordsOf(said)}.` },
  })
  const isOurs = typeof json?.error === 'object' && typeof json.error?.message === 'string' && 'code' in json.error
  return { error, event: `data: ${JSON.stringify(isOurs ? json : errorBody(error))}\n\n` }
}
