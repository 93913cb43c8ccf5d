import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGateway, type ProviderOptions } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import OpenAI from 'openai'
import { describe, expect, it, onTestFinished } from 'vitest'
import { identify, people, serve } from '../support/mounts.js'

interface Embedder {
  readonly type: ProviderOptions['type']
  readonly model: string
  readonly path: string
  /** Texts of a request. */
  texts(body: Record<string, unknown>): unknown[]
  /** An answer with these vectors. */
  answer(vectors: number[][]): object
  /** Tokens that it tells; null where it tells none. */
  readonly tokens: number | null
}

const embedders: Embedder[] = [
  {
    type: 'google',
    model: 'gemini-embedding-001',
    path: '/v1beta/models/gemini-embedding-001:batchEmbedContents',
    texts: ({ requests }) =>
      (requests as { content: { parts: { text: string }[] } }[]).map(({ content }) => content.parts[0]!.text),
    answer: (vectors) => ({ embeddings: vectors.map((values) => ({ values })) }),
    tokens: null,
  },
  {
    type: 'ollama',
    model: 'nomic-embed-text',
    path: '/api/embed',
    texts: ({ input }) => input as string[],
    answer: (embeddings) => ({ model: 'nomic-embed-text', embeddings, prompt_eval_count: 7 }),
    tokens: 7,
  },
]

/** By the openai package, which asks for base64 unless told otherwise. */
describe.each(embedders)('embeddings of $type', ({ type, model, path, texts, answer, tokens }) => {
  it('are a vector for each text, charged as told or counted', async () => {
    const upstream = createServer(async (req, res) => {
      const chunks: Buffer[] = []
      for await (const chunk of req) chunks.push(chunk as Buffer)
      const asked = texts(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>)
      res.writeHead(req.url === path ? 200 : 404, { 'content-type': 'application/json' })
      res.end(JSON.stringify(answer(asked.map((text) => [String(text).length, 0.5]))))
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const baseUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
    const ai = createGateway({
      providers: [{ type, baseUrl, apiKey: 'sk-key-of-the-route' }],
      pools: { 'user:*': { tokens: 1_000_000 } },
      logger: false,
    })
    const served = await serve(toNodeHandler(ai, { identify }))
    onTestFinished(async () => {
      await served.close()
      await ai.close()
      upstream.closeAllConnections()
      upstream.close()
    })
    const client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: people.alice.token, maxRetries: 0 })
    const { data } = await client.embeddings.create({ model, input: ['one', 'three'] })
    expect(data.map(({ embedding }) => embedding)).toEqual([
      [3, 0.5],
      [5, 0.5],
    ])
    const reply = await fetch(`${served.url}/v1/tokens/pools`, {
      headers: { authorization: `Bearer ${people.alice.token}` },
    })
    const [pool] = (await reply.json()) as { used: number; reserved: number }[]
    expect(pool!.reserved).toBe(0)
    if (tokens === null) expect(pool!.used).toBeGreaterThanOrEqual('onethree'.length)
    else expect(pool!.used).toBe(tokens)
  })
})
