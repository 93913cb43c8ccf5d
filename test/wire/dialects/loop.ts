import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createGateway, type ProviderOptions } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { generateText, stepCountIs, streamText, tool } from 'ai'
import OpenAI from 'openai'
import type { ChatCompletionMessage, ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { identify, people, serve } from '../../support/mounts.js'

/** What the model does in one round of the conversation. */
export interface Round {
  readonly thinking: string
  readonly text: string
  readonly calls: readonly { readonly name: string; readonly arguments: Record<string, unknown> }[]
}

/** Three rounds of parallel calls, one with a picture among its results, then the answer. */
export const ROUNDS: readonly Round[] = [
  {
    thinking: 'Both cities are needed.',
    text: 'Looking at both.',
    calls: [
      { name: 'get_weather', arguments: { city: 'Rome' } },
      { name: 'get_weather', arguments: { city: 'Oslo' } },
    ],
  },
  {
    thinking: 'A picture would help.',
    text: '',
    calls: [
      { name: 'take_photo', arguments: {} },
      { name: 'get_weather', arguments: { city: 'Bonn' } },
    ],
  },
  {
    thinking: 'Once more, to be sure.',
    text: 'And again.',
    calls: [
      { name: 'get_weather', arguments: { city: 'Rome' } },
      { name: 'take_photo', arguments: {} },
    ],
  },
  { thinking: 'That is all.', text: 'Sunny everywhere, and a cat.', calls: [] },
]

export const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

/** A server of the dialect that plays the rounds and refuses, in words, whatever is not exactly as it has to be. */
export interface StrictServer {
  readonly url: string
  /** Rounds that were asked for, in order. */
  readonly rounds: readonly number[]
  /** Pictures among the results, as pictures. */
  readonly images: number
  close(): Promise<void>
}

export interface LoopDialect {
  readonly type: ProviderOptions['type']
  readonly model: string
  /** The key that the server wants. */
  readonly apiKey: string
  strictServer(): Promise<StrictServer>
}

const TOOLS: ChatCompletionTool[] = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  },
  { type: 'function', function: { name: 'take_photo', parameters: { type: 'object', properties: {} } } },
]

const QUESTION = 'How is the weather in Rome and Oslo?'

/** What a client has to talk to. */
interface Reach {
  readonly baseURL: string
  readonly apiKey: string
  readonly model: string
}

interface Client {
  readonly name: string
  /** It sends pictures as pictures. */
  readonly shows: boolean
  run(reach: Reach): Promise<string>
}

const clients: readonly Client[] = [false, true].flatMap((stream) => {
  const how = stream ? 'streamed' : 'plain'
  return [
    {
      name: `openai, messages as they came, ${how}`,
      shows: true,
      run: (to) => byOpenAi(to, stream, (message) => message),
    },
    { name: `openai, standard fields only, ${how}`, shows: true, run: (to) => byOpenAi(to, stream, standardOnly) },
    { name: `the AI SDK, ${how}`, shows: false, run: (to) => byAiSdk(to, stream) },
  ] satisfies Client[]
})

/** As clients that know OpenAI's fields and no others write a message down. */
function standardOnly({ role, content, tool_calls }: ChatCompletionMessage): ChatCompletionMessage {
  const calls = tool_calls?.map(({ id, type, ...call }) => ({
    id,
    type,
    ...('function' in call ? { function: call.function } : {}),
  }))
  return { role, content, ...(calls === undefined ? {} : { tool_calls: calls }) } as ChatCompletionMessage
}

async function byOpenAi(
  { baseURL, apiKey, model }: Reach,
  stream: boolean,
  written: (message: ChatCompletionMessage) => ChatCompletionMessage,
): Promise<string> {
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 })
  const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: QUESTION }]
  for (let round = 0; round <= ROUNDS.length; round += 1) {
    const params = { model, messages, tools: TOOLS, reasoning_effort: 'low', max_completion_tokens: 8_000 } as const
    const { choices } = stream
      ? await client.chat.completions.stream(params).finalChatCompletion()
      : await client.chat.completions.create(params)
    const message = choices[0]!.message
    const calls = message.tool_calls ?? []
    if (calls.length === 0) return message.content!
    messages.push(written(message))
    for (const call of calls) {
      if (call.type !== 'function') throw new Error('a tool of another type')
      const content = resultOf(call.function.name, JSON.parse(call.function.arguments) as { city?: string })
      messages.push({ role: 'tool', tool_call_id: call.id, content } as ChatCompletionMessageParam)
    }
  }
  throw new Error('it goes round and round')
}

function resultOf(name: string, { city }: { city?: string }): unknown {
  if (name === 'get_weather') return `sunny in ${city}`
  return [
    { type: 'text', text: 'the photo' },
    { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } },
  ]
}

async function byAiSdk({ baseURL, apiKey, model }: Reach, stream: boolean): Promise<string> {
  const hoosh = createOpenAICompatible({ name: 'hoosh', baseURL, apiKey })
  const options = {
    model: hoosh.chatModel(model),
    prompt: QUESTION,
    maxOutputTokens: 8_000,
    maxRetries: 0,
    stopWhen: stepCountIs(ROUNDS.length + 1),
    providerOptions: { hoosh: { reasoningEffort: 'low' } },
    tools: {
      get_weather: tool({
        inputSchema: z.object({ city: z.string() }),
        execute: async ({ city }) => `sunny in ${city}`,
      }),
      take_photo: tool({
        inputSchema: z.object({}),
        execute: async () => 'the photo',
        toModelOutput: () => ({
          type: 'content',
          value: [
            { type: 'text', text: 'the photo' },
            { type: 'media', mediaType: 'image/png', data: PIXEL },
          ],
        }),
      }),
    },
  }
  return stream ? await streamText(options).text : (await generateText(options)).text
}

/** Tool loops by real clients before a server of the dialect that checks ids and signatures strictly. */
export function toolLoops(dialect: LoopDialect): void {
  describe(`tool loops over ${dialect.type}`, () => {
    it.each(clients)('$name', async ({ run, shows }) => {
      const server = await dialect.strictServer()
      const ai = createGateway({
        providers: [{ type: dialect.type, baseUrl: server.url, apiKey: dialect.apiKey, local: true }],
        pools: { 'user:*': { tokens: 2 ** 40 } },
        logger: false,
      })
      const served = await serve(toNodeHandler(ai, { identify }))
      onTestFinished(async () => {
        await served.close()
        await ai.close()
        await server.close()
      })
      const reach = { baseURL: `${served.url}/v1`, apiKey: people.alice.token, model: dialect.model }
      expect(await run(reach)).toBe(ROUNDS.at(-1)!.text)
      expect(server.rounds).toEqual(ROUNDS.map((_, round) => round))
      expect(server.images).toBe(shows ? 2 : 0)
    })
  })
}
