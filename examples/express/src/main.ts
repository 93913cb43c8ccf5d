import { listen } from './app.js'

const port = Number(process.env.PORT ?? 8088)
const app = await listen({ port, database: process.env.DATABASE ?? 'hoosh.sqlite' })

console.log(`
hoosh example on ${app.url}  (answers come from: ${app.providers.join(', ')})

  Ada    ${app.tokens.ada}
  Grace  ${app.tokens.grace}
  admin  ${app.tokens.admin}

Ask something:

  curl ${app.url}/v1/chat/completions \\
    -H 'authorization: Bearer ${app.tokens.ada}' -H 'content-type: application/json' \\
    -d '{"model":"${app.model}","messages":[{"role":"user","content":"Hello!"}]}'

The same with the openai package (npm install openai):

  import OpenAI from 'openai'
  const openai = new OpenAI({ baseURL: '${app.url}/v1', apiKey: '${app.tokens.ada}' })
  const stream = await openai.chat.completions.create({ model: '${app.model}', stream: true, messages: [{ role: 'user', content: 'Hello!' }] })
  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '')

What it cost, and the log of it:

  curl ${app.url}/v1/tokens/pools -H 'authorization: Bearer ${app.tokens.ada}'
  curl ${app.url}/v1/audit -H 'authorization: Bearer ${app.tokens.admin}'

Or open ${app.url} in a browser.
`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await app.close()
    process.exit(0)
  })
}
