// A gateway on Redis in a process of its own, from the built packages: node gateway-child.mjs URL PREFIX [OPTIONS as JSON]
import { createServer } from 'node:http'
import { createGateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { redisStorage } from '@hoosh/redis'
import { Redis } from 'ioredis'

const [url, prefix, options = '{}'] = process.argv.slice(2)
const client = new Redis(url)
client.on('error', () => {})
const gateway = createGateway({
  providers: [{ type: 'demo' }],
  pools: { 'user:*': { tokens: 1_000_000 } },
  budget: { leaseMs: 1_000, renewMs: 300, sweepMs: 200 },
  storage: redisStorage(client, { prefix, allowVolatile: true, timeoutMs: 2_000 }),
  logger: false,
  ...JSON.parse(options),
})
const identify = ({ headers }) => ({
  user: headers['x-user'] ?? 'ann',
  pool: (headers['x-pools'] ?? 'user:ann').split(','),
  roles: ['admin'],
})
const server = createServer(toNodeHandler(gateway, { identify }))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
