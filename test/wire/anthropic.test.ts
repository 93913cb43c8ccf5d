import { describe, expect, it } from 'vitest'
import { promptBound } from '../../packages/core/src/context/estimate.js'
import { tokenFacts } from '../../packages/core/src/context/token-facts.js'
import { hasFixtures, recorded } from '../support/fixtures.js'
import { anthropicReplay } from './dialects/anthropic.js'
import { anthropicFaults } from './dialects/anthropic-faults.js'
import { anthropicLoop } from './dialects/anthropic-strict.js'
import { faults } from './dialects/faults.js'
import { toolLoops } from './dialects/loop.js'
import { replays } from './dialects/replay.js'

replays(anthropicReplay)
toolLoops(anthropicLoop)
faults(anthropicFaults)

/** Their searches found more than anybody could hold for: 404,500 and 482,529 tokens. */
const BEYOND = [
  'test-anthropic-test-pause-turn-web-search-streaming-vcr-0',
  'test-anthropic-test-pause-turn-web-search-streaming-vcr-1',
]

describe.skipIf(!hasFixtures)('what is held for a prompt', () => {
  it('is not less than what Anthropic has billed for it', () => {
    const short = recorded('anthropic-messages')
      .filter(({ status }) => status === 200)
      .flatMap((exchange) => {
        const params = anthropicReplay.toOpenAI(exchange) as Record<string, unknown>
        const facts = tokenFacts({ type: 'anthropic', local: false }, String(params.model))
        const bill = anthropicReplay.said(exchange).usage!.prompt
        return promptBound(params, facts).plenty < bill ? [exchange.name.replace(/^.*\/|\.json$/g, '')] : []
      })
    expect(short).toEqual(BEYOND)
  })
})
