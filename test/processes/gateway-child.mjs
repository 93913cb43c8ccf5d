// A gateway in a process of its own, from the built packages: node gateway-child.mjs PLACE [OPTIONS as JSON]
import { createServer } from 'node:http'
import { createGateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { kill, storageAt } from './storage.mjs'

const gateway = createGateway({
  providers: [{ type: 'demo' }],
  pools: { 'user:*': { tokens: 1_000_000 } },
  budget: { leaseMs: 1_000, renewMs: 300, sweepMs: 200 },
  audit: { key: 'a key of this test alone' },
  storage: await storageAt(process.argv[2]),
  migrate: true,
  logger: false,
  ...JSON.parse(process.argv[3] ?? '{}'),
})
const identify = ({ headers }) => ({
  user: headers['x-user'] ?? 'ann',
  pool: (headers['x-pools'] ?? 'user:ann').split(','),
  roles: ['admin'],
})
const server = createServer(kill.answers(toNodeHandler(gateway, { identify })))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
