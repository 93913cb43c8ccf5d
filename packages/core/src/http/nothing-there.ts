import { HooshError } from '../errors.js'

/** Where clients of other APIs ask a model: OpenAI's responses and its first completions, Anthropic's messages. */
const OTHER_APIS: readonly string[] = ['/v1/responses', '/v1/completions', '/v1/messages']

/**
 * The answer where there is no route. Who comes with another API is told which one is spoken here.
 *
 * @param asked the path for the message
 * @param below the path below `basePath`; null where it is elsewhere
 */
export function nothingThere(
  method: string,
  { asked, below, basePath }: { asked: string; below: string | null; basePath: string },
): HooshError {
  const here = ` Models are asked at POST ${basePath}/v1/chat/completions, in the AI SDK with \`.chat(model)\`.`
  const isOther = below !== null && OTHER_APIS.includes(below)
  return new HooshError('not_found', { message: `There is nothing at ${method} ${asked}.${isOther ? here : ''}` })
}
