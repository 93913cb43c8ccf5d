import { loadTokenizer } from '../../../packages/core/dist/context/tokenizer.js'
import { tableQuote } from '../../../packages/core/dist/cost/genai-prices.js'
import { costOf } from '../../../packages/core/dist/cost/price.js'
import { priceBook } from '../../../packages/core/dist/cost/prices.js'
import { readJson } from '../../../packages/core/dist/http/json-body.js'
import { bearerTokens } from '../../../packages/core/dist/identity/resolvers.js'
import { eventScanner } from '../../../packages/core/dist/inference/event-scanner.js'
import { findUsage, withCost } from '../../../packages/core/dist/inference/usage-text.js'
import type { Provider } from '../../../packages/core/dist/providers/provider.js'
import { chatRequest } from '../../../packages/core/dist/routes/schemas.js'
import { routeOf } from '../../../packages/core/dist/routing/route.js'
import { createRouter } from '../../../packages/core/dist/routing/router.js'
import { EVENTS, plainAnswer, plainRequest, streamedAnswer } from '../payload.js'
import type { Case } from './case.js'

// What a call passes through on its way up and down, but for the stores.

const openai = { type: 'openai', local: false }
const usage = { input: 900, cachedInput: 100, cacheWrite: 0, audioInput: 0, output: 200, reasoning: 0, audioOutput: 0 }

const { countAll } = await loadTokenizer('o200k_base')

export const engine: readonly Case[] = [
  { step: 'read and check a body, 1 KB', make: () => reading(1024) },
  { step: 'read and check a body, 20 KB', make: () => reading(20 * 1024) },
  { step: 'chat schema', planned: 21, make: schema },
  { step: 'choose among 20 routes, unseen model', original: 1, atMost: 1.5, make: () => choosing(5_000) },
  { step: 'choose among 20 routes, model seen before', original: 1, atMost: 0.2, make: () => choosing(1) },
  { step: 'token check, constant time', original: 0.1, atMost: 2, make: tokenCheck },
  {
    step: 'price of a model in the table, unseen',
    planned: 100,
    make: () => () => tableQuote({ type: 'openai' }, 'gpt-4o', 1.79e12),
  },
  { step: 'cost of a known model', original: 0.16, atMost: 0.5, make: knownCost },
  { step: 'usage found in 20 KB, cost put in', make: splicing },
  { step: 'boundaries of 100 streamed events', planned: 37, make: scanning },
  { step: 'tokenizer, 20 KB of prose', planned: 1_040, make: () => () => countAll([plainRequest(20 * 1024)]) },
]

function reading(bytes: number): () => unknown {
  const body = Buffer.from(plainRequest(bytes))
  const request = { header: headerOf, body: { bytes: () => Promise.resolve(body) } }
  return () => readJson(request, 2 ** 20)
}

function headerOf(name: string): string | undefined {
  return name === 'content-type' ? 'application/json' : undefined
}

function schema(): () => unknown {
  const value: unknown = JSON.parse(plainRequest(1024))
  return () => chatRequest.safeParse(value)
}

/** More names than the router remembers are all unseen when their turn comes again. */
function choosing(names: number): () => unknown {
  const provider: Provider = {
    send: () => Promise.reject(),
    stream: () => Promise.reject(),
    models: () => Promise.resolve([]),
    redact: (text) => text,
    close: () => Promise.resolve(),
  }
  const routes = Array.from({ length: 20 }, (_, index) =>
    routeOf(
      { type: 'openai', name: `route-${index}`, models: [`family-${index}-*`, '*-mini'], priority: index },
      { local: false, baseUrl: 'http://host', provider },
    ),
  )
  const router = createRouter(routes)
  const models = Array.from({ length: names }, (_, index) => `family-${index % 20}-${index}`)
  let next = 0
  return () => router.candidates(models[next++ % names]!, { now: 0 })
}

function tokenCheck(): () => unknown {
  const identify = bearerTokens([{ token: 'sk-bench-of-some-length', user: 'bench' }])
  const request = { headers: { authorization: 'Bearer sk-bench-of-some-length' } }
  return () => identify(request)
}

function knownCost(): () => unknown {
  const prices = priceBook({ clock: () => 1.79e12 })
  return () => costOf(usage, prices.quote(openai, 'gpt-4o-mini')!)
}

function splicing(): () => unknown {
  const answer = plainAnswer(20 * 1024)
  return () => withCost(answer, findUsage(answer)!, 123_456, 'openai')
}

function scanning(): () => unknown {
  const events = streamedAnswer().slice(0, EVENTS / 2)
  return () => {
    const scanner = eventScanner()
    for (const event of events) scanner.push(event)
  }
}
