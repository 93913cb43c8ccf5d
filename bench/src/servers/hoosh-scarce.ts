import type { IncomingMessage } from 'node:http'
import { createGateway, type Identity } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { options } from './hoosh-options.js'
import { serve } from './serve.js'

// Pools with so little left that the cheap bound of the prompt does not fit an eight times over. A fresh pool for
// every two calls, since a scarce one is soon empty; three times the body in tokens lasts for two of the worst case.

const CALLS_A_POOL = 2

let calls = 0

const gateway = createGateway({
  ...options,
  pools: (name) => ({ tokens: 3 * Number(name.split(':')[1]) + 200, usd: 1, window: 'month' }),
})

function identify(req: IncomingMessage): Identity {
  return { user: 'bench', pool: `scarce:${req.headers['content-length']}:${Math.floor(calls++ / CALLS_A_POOL)}` }
}

serve(toNodeHandler(gateway, { identify }))
