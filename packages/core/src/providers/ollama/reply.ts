import { HooshError } from '../../errors.js'
import type { Ask } from '../translated/dialect.js'
import { callsOf, errorIn, finishOf, forcedCall, logprobsOf, type OllamaAnswer, wireUsage } from './answer.js'
import type { ForcedCall } from './tools.js'

/** An answer of `/api/chat` as a chat completion. */
export function completionOf(ask: Ask, json: unknown, forced: ForcedCall | undefined): object {
  const error = errorIn(ask, json)
  if (error !== null) throw error
  const answer = json as OllamaAnswer
  const { content = '', thinking = '', tool_calls: given = [] } = answer.message!
  const reason = answer.done_reason
  const isCall = forced !== undefined && reason !== 'length'
  const calls = isCall ? [forcedOrGarbage(ask, forced, content)] : callsOf(ask, given, 0)
  const text = isCall ? '' : content
  const usage = wireUsage(answer)
  return {
    id: `chatcmpl-${ask.requestId}`,
    object: 'chat.completion',
    created: ask.created,
    model: answer.model ?? ask.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' ? null : text,
          refusal: null,
          ...(thinking === '' ? {} : { reasoning_content: thinking }),
          ...(calls.length === 0 ? {} : { tool_calls: calls }),
        },
        finish_reason: finishOf(reason, calls.length),
        logprobs: logprobsOf(answer.logprobs),
        native_finish_reason: reason,
      },
    ],
    ...(usage === undefined ? {} : { usage }),
  }
}

/** @throws HooshError where the server did not keep to the shape: older ones do not know it */
export function forcedOrGarbage(ask: Ask, forced: ForcedCall, text: string): ReturnType<typeof forcedCall> {
  try {
    return forcedCall(ask, forced, text)
  } catch (cause) {
    throw new HooshError('provider_error', { message: 'The model did not call the function that it had to.', cause })
  }
}
