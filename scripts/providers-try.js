// A short live check of providers: those whose keys are in the environment, or those given as JSON.
//
//   npm run providers:try
//   npm run providers:try -- '{"type":"vllm","baseUrl":"http://gpu-1:8000","privateNetwork":true,"models":["llama-3"]}'

import { createGateway } from '@hoosh/core'

/** Variables that may hold a provider's key, and its cheapest models that can do what is checked. */
const HOSTED = {
  openai: { keys: ['OPENAI_API_KEY'], chat: 'gpt-4o-mini', embeddings: 'text-embedding-3-small' },
  anthropic: { keys: ['ANTHROPIC_API_KEY'], chat: 'claude-haiku-4-5' },
  google: {
    keys: ['GOOGLE_API_KEY', 'GEMINI_API_KEY'],
    chat: 'gemini-2.5-flash-lite',
    embeddings: 'gemini-embedding-001',
  },
  deepseek: { keys: ['DEEPSEEK_API_KEY'], chat: 'deepseek-chat' },
  mistral: { keys: ['MISTRAL_API_KEY'], chat: 'mistral-small-latest', embeddings: 'mistral-embed' },
  groq: { keys: ['GROQ_API_KEY'], chat: 'llama-3.1-8b-instant' },
  grok: { keys: ['XAI_API_KEY'], chat: 'grok-3-mini' },
  openrouter: { keys: ['OPENROUTER_API_KEY'], chat: 'openai/gpt-4o-mini' },
}

const messages = [{ role: 'user', content: 'Say "ok".' }]
const schema = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}
const tool = { type: 'function', function: { name: 'weather', description: 'Weather of a city', parameters: schema } }
// 8 x 8 pixels of red.
const picture =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGP4z8CAFWEXHbQSACj/P8Fu7N9hAAAAAElFTkSuQmCC'

/** What is checked; each throws, or says what it saw. */
const CHECKS = {
  'plain chat': async ({ hoosh, model }) => told(await hoosh.chat({ model, messages, max_tokens: 50 })),
  'streamed chat': async ({ hoosh, model }) => {
    let [text, usage] = ['', undefined]
    const params = { model, messages, max_tokens: 50, stream_options: { include_usage: true } }
    for await (const chunk of hoosh.stream(params)) {
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    return told({ choices: [{ message: { content: text } }], usage })
  },
  'a forced tool': async ({ hoosh, model }) => {
    const asked = [{ role: 'user', content: 'Weather in Rome?' }]
    const choice = { type: 'function', function: { name: 'weather' } }
    const answer = await hoosh.chat({ model, messages: asked, tools: [tool], tool_choice: choice, max_tokens: 200 })
    const call = answer.choices[0].message.tool_calls?.[0]
    if (call === undefined) throw new TypeError('no tool was called')
    return `${call.function.name}(${JSON.stringify(JSON.parse(call.function.arguments))})`
  },
  'JSON of a schema': async ({ hoosh, model }) => {
    const format = { type: 'json_schema', json_schema: { name: 'place', schema, strict: true } }
    const asked = [{ role: 'user', content: 'The capital of Italy, as JSON.' }]
    const answer = await hoosh.chat({ model, messages: asked, response_format: format, max_tokens: 200 })
    return JSON.stringify(JSON.parse(answer.choices[0].message.content ?? ''))
  },
  'an image': async ({ hoosh, model }) => {
    const content = [
      { type: 'text', text: 'Which colour is this? One word.' },
      { type: 'image_url', image_url: { url: picture } },
    ]
    return told(await hoosh.chat({ model, messages: [{ role: 'user', content }], max_tokens: 50 }))
  },
  embeddings: async ({ hoosh, embeddings }) => {
    if (embeddings === undefined) return null
    const { data } = await hoosh.embed({ model: embeddings, input: ['sea', 'ship'] })
    return `${data.length} vectors`
  },
}

function told({ choices, usage }) {
  if (usage === undefined) throw new TypeError('no usage was reported')
  return `${JSON.stringify(choices[0].message.content)}, ${usage.total_tokens} tokens, ${usage.cost_micro_usd} micro-USD`
}

function wanted() {
  const given = process.argv.slice(2)
  if (given.length > 0) return given.map((text) => ({ options: JSON.parse(text) }))
  return Object.entries(HOSTED).flatMap(([type, { keys, ...models }]) => {
    const apiKey = keys.map((name) => process.env[name]).find((key) => key !== undefined && key !== '')
    return apiKey === undefined ? [] : [{ options: { type, apiKey }, ...models }]
  })
}

/** Returns how many checks failed. */
async function tryOne({ options, chat, embeddings }) {
  const name = options.name ?? options.type
  console.log(`\n${name}`)
  const gateway = createGateway({
    providers: [options],
    pools: { default: { tokens: 100_000, usd: 0.5, unpriced: 'allow' } },
    audit: false,
    logger: false,
  })
  const hoosh = gateway.as({ user: 'try' })
  let failed = 0
  try {
    const listed = await (await hoosh.fetch('http://hoosh/v1/models')).json()
    console.log(`  models            ${listed.data.length} listed`)
    const model = chat ?? options.models?.[0] ?? listed.data[0]?.id
    if (model === undefined) {
      console.log('  NOT CHECKED       it lists no model; name one in `models`')
      return 0
    }
    for (const [what, check] of Object.entries(CHECKS)) {
      try {
        const seen = await check({ hoosh, model, embeddings })
        console.log(`  ${what.padEnd(18)}${seen === null ? 'NOT CHECKED: no model is known for it' : seen}`)
      } catch (error) {
        if (error.code === 'unsupported_parameter') console.log(`  ${what.padEnd(18)}NOT CHECKED: ${error.message}`)
        else {
          failed += 1
          console.log(`  ${what.padEnd(18)}FAILED: ${error.code ?? error.name}: ${error.message}`)
        }
      }
    }
  } finally {
    await gateway.close({ timeoutMs: 1_000 })
  }
  return failed
}

const tried = wanted()
let failed = 0
for (const one of tried) failed += await tryOne(one)
const seen = new Set(tried.map(({ options }) => options.type))
const rest = Object.entries(HOSTED).filter(([type]) => !seen.has(type))
if (rest.length > 0)
  console.log(
    `\nNot checked, since no key is set: ${rest.map(([type, { keys }]) => `${type} (${keys.join(' or ')})`).join(', ')}`,
  )
console.log(`\n${tried.length} providers tried, ${failed} checks failed.`)
process.exitCode = failed > 0 ? 1 : 0
