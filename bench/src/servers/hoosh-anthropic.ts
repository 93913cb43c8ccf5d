import { createGateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { identify, options } from './hoosh-options.js'
import { serve, upstreamUrl } from './serve.js'

// What a dialect costs: the same gateway before an upstream that speaks Anthropic's.

const translated = {
  ...options,
  providers: [{ type: 'anthropic', name: 'fake', baseUrl: upstreamUrl, apiKey: 'sk-bench' }],
  prices: { '*': { input: '0.15', output: '0.60' } },
} as const

serve(toNodeHandler(createGateway(translated), { identify }))
