// A gateway on SQLite in a process of its own, from the built packages: node gateway-child.mjs FILE [TOKENS] [CHAIN]
import { createServer } from 'node:http'
import { createGateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'

const gateway = createGateway({
  providers: [{ type: 'demo' }],
  pools: { 'user:*': { tokens: Number(process.argv[3] ?? 1_000_000) } },
  budget: { leaseMs: 1_000, renewMs: 300, sweepMs: 200 },
  audit: { key: 'a key of this test alone', chain: process.argv[4] ?? 'process' },
  storage: sqlStorage(new Database(process.argv[2])),
  migrate: true,
  logger: false,
})
const identify = () => ({ user: 'ann', pool: 'user:ann', roles: ['admin'] })
const server = createServer(toNodeHandler(gateway, { identify }))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
