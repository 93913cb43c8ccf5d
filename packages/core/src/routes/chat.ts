import { chat, embed } from '../inference/chat.js'
import { legacyTools } from '../inference/legacy-tools.js'
import { newCall } from '../inference/new-call.js'
import { callerIn, RUN_HEADER } from '../inference/runs.js'
import type { RouteDefinition } from './route.js'
import { chatRequest, embeddingsRequest } from './schemas.js'
import { validated } from './validate.js'

/** OpenAI's chat completions, plain and streamed. */
export const chatCompletions: RouteDefinition = {
  method: 'POST',
  path: '/v1/chat/completions',
  access: 'identity',
  isPaid: true,
  isForPages: true,
  async handle({ request, readJson, caller, requestId }, engine) {
    const { value, bytes } = await readJson()
    validated(chatRequest, value)
    const modern = legacyTools(value)
    const source = { params: modern ?? value, bytes: modern === null ? bytes : null }
    const paying = callerIn(engine, caller, request.header(RUN_HEADER))
    const provider = request.header('x-hoosh-provider')
    const priority = request.header('x-hoosh-priority')
    return chat(
      engine,
      newCall(engine, {
        kind: 'chat',
        ...source,
        caller: paying,
        requestId,
        signal: request.signal,
        provider,
        priority,
      }),
      request.header('idempotency-key'),
    )
  },
}

/** OpenAI's embeddings. */
export const embeddings: RouteDefinition = {
  method: 'POST',
  path: '/v1/embeddings',
  access: 'identity',
  isPaid: true,
  isForPages: true,
  async handle({ request, readJson, caller, requestId }, engine) {
    const { value, bytes } = await readJson()
    validated(embeddingsRequest, value)
    const paying = callerIn(engine, caller, request.header(RUN_HEADER))
    const provider = request.header('x-hoosh-provider')
    const priority = request.header('x-hoosh-priority')
    return embed(
      engine,
      newCall(engine, {
        kind: 'embeddings',
        params: value,
        bytes,
        caller: paying,
        requestId,
        signal: request.signal,
        provider,
        priority,
      }),
      request.header('idempotency-key'),
    )
  },
}
