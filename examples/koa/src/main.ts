import type { AddressInfo } from 'node:net'
import { createApp } from './app.js'

// Without a key the built-in demo model answers, and says what it is.
const model = process.env.OPENAI_API_KEY ? 'gpt-4o-mini' : 'demo'
const { app, gateway } = createApp({ model })
const server = app.listen(Number(process.env.PORT ?? 8089), '127.0.0.1', () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  console.log(`
hoosh in Koa on ${url}. Sign in, then ask; the app's own handler spends from the same budget:

  curl -c jar ${url}/login -d name=ada -d password=lovelace
  curl -b jar ${url}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"model":"${model}","messages":[{"role":"user","content":"Hello!"}]}'
  curl -b jar ${url}/translate -d text=Hello -d to=French
  curl -b jar ${url}/v1/tokens/pools
`)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await gateway.close() // running calls finish
    server.close()
  })
}
