import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, embedMany, generateObject, generateText, stepCountIs, streamText, tool } from 'ai'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Credentials, describeClient } from './ways.js'

const prompt = 'What are you?'

const DIALECTS = [
  {
    name: 'createOpenAICompatible',
    make(credentials: Credentials) {
      const hoosh = createOpenAICompatible({
        name: 'hoosh',
        supportsStructuredOutputs: true,
        includeUsage: true,
        ...credentials,
      })
      return { model: (id: string) => hoosh.chatModel(id), embedding: (id: string) => hoosh.embeddingModel(id) }
    },
  },
  {
    name: 'createOpenAI().chat()',
    make(credentials: Credentials) {
      const hoosh = createOpenAI(credentials)
      return { model: (id: string) => hoosh.chat(id), embedding: (id: string) => hoosh.embedding(id) }
    },
  },
]

const tools = {
  get_weather: tool({
    description: 'Weather of a city',
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`,
  }),
}

describeClient('the AI SDK', (reached) => {
  describe.each(DIALECTS)('by $name', ({ make }) => {
    const alice = () => make(reached().alice)

    it('generates a text, with its usage', async () => {
      const { text, usage, finishReason } = await generateText({ model: alice().model('demo'), prompt })
      expect(text).toMatch(/demo/i)
      expect(finishReason).toBe('stop')
      expect(usage.totalTokens).toBe(usage.inputTokens! + usage.outputTokens!)
    })

    it('streams a text, with its usage at the end', async () => {
      const { provider, pool } = reached()
      const before = (await pool()).used
      const streamed = streamText({ model: alice().model('gpt-4o'), prompt })
      const parts: string[] = []
      for await (const part of streamed.textStream) parts.push(part)
      expect(parts.length).toBeGreaterThan(10)
      expect(parts.join('')).toMatch(/^ one two three/)
      expect((await streamed.usage).totalTokens).toBe(provider.bill.totalTokens)
      expect((await pool()).used - before).toBe(provider.bill.totalTokens)
    })

    it.each(['generateText', 'streamText'])('uses tools over several steps (%s)', async (how) => {
      const { provider } = reached()
      const call = (city: string) => ({ toolCall: { name: 'get_weather', arguments: JSON.stringify({ city }) } })
      provider.script(call('Rome'), call('Oslo'), { text: 'Sunny in both.' })
      const options = { model: alice().model('gpt-4o'), prompt, tools, stopWhen: stepCountIs(5) }
      const { steps, text } = how === 'generateText' ? await generateText(options) : streamText(options)
      expect(await text).toMatch(/Sunny in both\./)
      const results = (await steps).flatMap(({ toolResults }) => toolResults.map(({ output }) => output))
      expect(results).toEqual(['sunny in Rome', 'sunny in Oslo'])
      expect(provider.requests).toHaveLength(3)
      expect(JSON.stringify(provider.requests[2]!.body)).toContain('sunny in Oslo')
    })

    it('generates an object of the shape it asked for', async () => {
      const schema = z.object({ name: z.string(), age: z.number().int() })
      const { object } = await generateObject({ model: alice().model('demo'), schema, prompt: 'A person.' })
      expect(schema.parse(object)).toEqual(object)
    })

    it('embeds', async () => {
      const { embeddings, usage } = await embedMany({ model: alice().embedding('demo-embed'), values: ['one', 'two'] })
      expect(embeddings.map(({ length }) => length)).toEqual([embeddings[0]!.length, embeddings[0]!.length])
      expect(embeddings[0]).not.toEqual(embeddings[1])
      expect(usage.tokens).toBeGreaterThan(0)
    })

    it.each(['generateText', 'streamText'])('aborts, which stops the provider (%s)', async (how) => {
      const { provider, settled } = reached()
      const leaving = new AbortController()
      const options = { model: alice().model('gpt-4o'), prompt, abortSignal: leaving.signal, maxRetries: 0 }
      if (how === 'generateText') {
        provider.script({ fault: 'hang-before-head' })
        const call = generateText(options).catch((error: Error) => error.name)
        await provider.received(1)
        leaving.abort()
        expect(await call).toBe('AbortError')
      } else {
        provider.script({ tokens: 5_000, everyMs: 5 })
        for await (const part of streamText(options).textStream) if (part !== '') leaving.abort()
      }
      await provider.requests[0]!.aborted
      await settled()
    })

    it('raises the error that hoosh answers', async () => {
      const refused = generateText({ model: make(reached().nobody).model('demo'), prompt, maxRetries: 0 })
      const error = await refused.catch((thrown: unknown) => thrown)
      expect(APICallError.isInstance(error)).toBe(true)
      expect(error).toMatchObject({ statusCode: 401, message: expect.stringMatching(/signed in|Unauthorized/) })
      const limited = generateText({ model: alice().model('demo-error-429'), prompt, maxRetries: 0 })
      await expect(limited).rejects.toMatchObject({ statusCode: 429, isRetryable: true })
    })
  })
})
