import { chunkWriter, DONE } from '../translated/chunks.js'
import type { Ask, StreamTranslator } from '../translated/dialect.js'
import { callsOf, errorIn, finishOf, logprobsOf, type OllamaAnswer, wireUsage } from './answer.js'
import { forcedOrGarbage } from './reply.js'
import type { ForcedCall } from './tools.js'

/** Lines of `/api/chat` as OpenAI's events. Calls come whole; the last line says that it is the last. */
export function chatStream(ask: Ask, forced: ForcedCall | undefined): StreamTranslator {
  const { requestId, created, model } = ask
  const write = chunkWriter({ id: `chatcmpl-${requestId}`, created, model })
  let calls = 0
  let isOver = false
  /** Text that is a call, once it is whole. */
  let held = ''
  const called = (list: ReturnType<typeof callsOf>) =>
    list.map((call) => {
      const { id, function: given } = call
      const index = calls
      calls += 1
      return write.toolCall({ index, id, ...given })
    })
  return {
    event(json) {
      const error = errorIn(ask, json)
      if (error !== null) throw error
      if (isOver) return ''
      const line = json as OllamaAnswer
      const { content = '', thinking = '', tool_calls: given = [] } = line.message!
      let out = thinking === '' ? '' : write.reasoning(thinking)
      if (forced !== undefined) held += content
      else if (content !== '') out += write.text(content)
      out += called(callsOf(ask, given, calls)).join('')
      const logprobs = logprobsOf(line.logprobs)
      if (logprobs !== null) out += write.delta({}, 0, { logprobs })
      if (line.done !== true) return out
      isOver = true
      const reason = line.done_reason
      if (forced !== undefined && reason === 'length') out += write.text(held)
      else if (forced !== undefined) out += called([forcedOrGarbage(ask, forced, held)]).join('')
      out += write.finish(finishOf(reason, calls), { native_finish_reason: reason })
      const usage = wireUsage(line)
      return `${out}${usage === undefined ? '' : write.usage(usage)}${DONE}`
    },
  }
}
