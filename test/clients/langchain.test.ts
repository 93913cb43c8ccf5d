import { HumanMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { type Credentials, describeClient } from './ways.js'

const question = 'What are you?'

const chat = ({ apiKey, baseURL, fetch }: Credentials, model = 'demo') =>
  new ChatOpenAI({ model, apiKey, maxRetries: 0, configuration: { baseURL, fetch } })

const weather = tool(async ({ city }) => `sunny in ${city}`, {
  name: 'get_weather',
  description: 'Weather of a city',
  schema: z.object({ city: z.string() }),
})

describeClient('LangChain', (reached) => {
  it('invokes, with usage', async () => {
    const answer = await chat(reached().alice).invoke(question)
    expect(answer.text).toMatch(/demo/i)
    expect(answer.usage_metadata!.total_tokens).toBeGreaterThan(0)
  })

  it('streams, with usage at the end', async () => {
    const { alice, provider } = reached()
    const parts: string[] = []
    let total = 0
    for await (const part of await chat(alice, 'gpt-4o').stream(question)) {
      parts.push(part.text)
      total += part.usage_metadata?.total_tokens ?? 0
    }
    expect(parts.join('')).toMatch(/^ one two three/)
    expect(total).toBe(provider.bill.totalTokens)
  })

  it('calls a tool, and goes on with its result', async () => {
    const model = chat(reached().alice).bindTools([weather])
    const asked = new HumanMessage(question)
    const first = await model.invoke([asked])
    expect(first.tool_calls).toMatchObject([{ name: 'get_weather', args: { city: expect.any(String) } }])
    const result: ToolMessage = await weather.invoke(first.tool_calls![0]! as never)
    expect(result).toBeInstanceOf(ToolMessage)
    expect((await model.invoke([asked, first, result])).text).toContain('sunny in')
  })

  it('gets an object of the shape it asked for', async () => {
    const schema = z.object({ name: z.string(), age: z.number().int() })
    const object = await chat(reached().alice, 'gpt-4o').withStructuredOutput(schema, { method: 'jsonSchema' })
    reached().provider.script({ text: '{"name":"Ada","age":36}' })
    expect(await object.invoke('A person.')).toEqual({ name: 'Ada', age: 36 })
    expect(reached().provider.requests[0]!.body).toMatchObject({ response_format: { type: 'json_schema' } })
  })

  it('embeds', async () => {
    const { apiKey, baseURL, fetch } = reached().alice
    const embeddings = new OpenAIEmbeddings({ model: 'demo-embed', apiKey, configuration: { baseURL, fetch } })
    const [one, two] = await embeddings.embedDocuments(['one', 'two'])
    expect(one!.length).toBe(two!.length)
    expect(one).not.toEqual(two)
  })

  it('aborts a stream, which stops the provider', async () => {
    const { alice, provider, settled } = reached()
    provider.script({ tokens: 5_000, everyMs: 5 })
    const leaving = new AbortController()
    const read = async () => {
      for await (const part of await chat(alice, 'gpt-4o').stream(question, { signal: leaving.signal })) {
        if (part.text !== '') leaving.abort()
      }
    }
    await expect(read()).rejects.toThrow(/abort/i)
    await provider.requests[0]!.aborted
    await settled()
  })

  it('raises the error that hoosh answers', async () => {
    await expect(chat(reached().nobody).invoke(question)).rejects.toMatchObject({ status: 401 })
  })
})
