import { randomUUID } from 'node:crypto'
import { Counter, Histogram, Registry } from 'prom-client'
import { EVENTS, plainRequest, streamedAnswer } from '../payload.js'
import type { Case } from './case.js'

// What Node and the libraries take, whatever we do with them.

const small = plainRequest(1024)
const large = plainRequest(20 * 1024)
const smallValue: unknown = JSON.parse(small)
const largeValue: unknown = JSON.parse(large)
const headers = {
  'content-type': 'application/json',
  'content-length': '1024',
  'cache-control': 'no-cache',
  'x-request-id': 'bench',
  'x-hoosh-route': 'fake',
  'x-hoosh-cache': 'MISS',
}

export const platform: readonly Case[] = [
  {
    step: 'new Request + new Response',
    planned: 113,
    make: () => () => [new Request('http://host/v1', { method: 'POST', body: small }), new Response(small)],
  },
  { step: 'new Headers of six', planned: 3.5, make: () => () => new Headers(headers) },
  { step: 'JSON.parse, 1 KB', planned: 6, make: () => () => JSON.parse(small) },
  { step: 'JSON.parse, 20 KB', planned: 34, make: () => () => JSON.parse(large) },
  { step: 'JSON.stringify, 1 KB', planned: 7, make: () => () => JSON.stringify(smallValue) },
  { step: 'JSON.stringify, 20 KB', planned: 74, make: () => () => JSON.stringify(largeValue) },
  { step: 'randomUUID', planned: 1, make: () => () => randomUUID() },
  { step: 'prom-client counter + histogram, labels looked up', planned: 2.3, make: () => prometheus(false) },
  { step: 'prom-client counter + histogram, children kept', make: () => prometheus(true) },
  { step: 'JSON.parse of 100 streamed events', planned: 263, make: parseEvents },
]

function prometheus(isKept: boolean): () => void {
  const registers = [new Registry()]
  const labels = { provider: 'openai', route: 'fake', model: 'gpt-4o-mini' }
  const labelNames = Object.keys(labels)
  const counter = new Counter({ name: 'calls', help: 'calls', labelNames, registers })
  const histogram = new Histogram({ name: 'seconds', help: 'seconds', labelNames, registers })
  const [calls, seconds] = [counter.labels(labels), histogram.labels(labels)]
  if (isKept) {
    return () => {
      calls.inc()
      seconds.observe(0.2)
    }
  }
  return () => {
    counter.inc(labels, 1)
    histogram.observe(labels, 0.2)
  }
}

function parseEvents(): () => void {
  const texts = streamedAnswer()
    .slice(0, EVENTS / 2)
    .map((event) => event.toString().slice('data: '.length))
  return () => {
    for (const text of texts) JSON.parse(text)
  }
}
