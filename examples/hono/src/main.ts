import { randomBytes } from 'node:crypto'
import { serve } from '@hono/node-server'
import { sign } from 'hono/jwt'
import { createApp } from './app.js'

// Without a key the built-in demo model answers, and says what it is.
const model = process.env.OPENAI_API_KEY ? 'gpt-4o-mini' : 'demo'
const secret = randomBytes(32).toString('base64url')
const { app, gateway } = createApp({ secret, model })
const token = await sign({ sub: 'ada', exp: Math.floor(Date.now() / 1000) + 24 * 60 * 60 }, secret, 'HS256')

const server = serve(
  { fetch: app.fetch, port: Number(process.env.PORT ?? 8090), hostname: '127.0.0.1' },
  ({ port }) => {
    const url = `http://127.0.0.1:${port}`
    console.log(`
hoosh in Hono on ${url}. Ask as Ada; the app's own handler, with the AI SDK, spends from the same budget:

  TOKEN=${token}
  curl ${url}/v1/chat/completions -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
    -d '{"model":"${model}","messages":[{"role":"user","content":"Hello!"}]}'
  curl -N ${url}/haiku -H "authorization: Bearer $TOKEN" -d 'the sea'
  curl ${url}/v1/tokens/pools -H "authorization: Bearer $TOKEN"
`)
  },
)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await gateway.close() // running calls finish
    server.close()
  })
}
