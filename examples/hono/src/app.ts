import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createGateway } from '@hoosh/core'
import { toFetchHandler } from '@hoosh/core/fetch'
import { streamText } from 'ai'
import { Hono } from 'hono'
import { verify } from 'hono/jwt'

/** An app whose callers have JSON Web Tokens. It knows nothing of Node: `app.fetch` is all that a server needs. */
export function createApp({ secret, model }: { secret: string; model: string }) {
  const gateway = createGateway({ pools: { 'user:*': { tokens: 20_000, window: 'day' } } })

  const handler = toFetchHandler(gateway, {
    identify: async (request) => {
      const token = /^Bearer (\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
      const claims = token && (await verify(token, secret, 'HS256').catch(() => null))
      return claims && { user: String(claims.sub), pool: `user:${claims.sub}` }
    },
  })

  const app = new Hono()
  app.all('/v1/*', (c) => handler(c.req.raw))

  // Any client that takes a `fetch` runs under the caller's budget, without a network hop: here the AI SDK.
  app.post('/haiku', async (c) => {
    const { identity, fetch } = handler.context(c.req.raw)
    await identity() // nobody: 401
    const hoosh = createOpenAICompatible({ name: 'hoosh', baseURL: 'http://hoosh/v1', fetch })
    const prompt = `Write a haiku about ${await c.req.text()}.`
    return streamText({ model: hoosh(model), prompt, abortSignal: c.req.raw.signal }).toTextStreamResponse()
  })

  app.onError((error, c) => {
    const status = 'status' in error ? (error.status as number) : 500
    return c.json({ error: status < 500 ? error.message : 'Something went wrong.' }, status as 500)
  })

  return { app, gateway }
}
