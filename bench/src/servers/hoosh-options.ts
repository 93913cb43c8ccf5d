import type { HooshOptions, Identity } from '@hoosh/core'
import { upstreamUrl } from './serve.js'

const seen = new Map<string, number>()

/** Everything a production host switches on: two pools with both caps, signed audit, prices, metrics, events. */
export const options: HooshOptions = {
  providers: [{ type: 'openai', name: 'fake', baseUrl: `${upstreamUrl}/v1`, apiKey: 'sk-bench', models: ['gpt-*'] }],
  pools: {
    'user:*': { tokens: 1e12, usd: 1_000_000, window: 'month' },
    'team:*': { tokens: 1e12, usd: 1_000_000, window: 'month' },
  },
  audit: { key: 'bench-key-of-thirty-two-characters' },
  metrics: { token: 'bench' },
  onEvent: ({ type }) => {
    seen.set(type, (seen.get(type) ?? 0) + 1)
  },
}

export function identify(): Identity {
  return { user: 'bench', pool: ['user:bench', 'team:bench'] }
}
