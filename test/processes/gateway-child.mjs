// A gateway on SQLite in a process of its own, from the built packages: node gateway-child.mjs FILE [TOKENS] [PROVIDER]
import { createServer } from 'node:http'
import { createGateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'

const [, , file, tokens = '1000000', baseUrl] = process.argv
const gateway = createGateway({
  providers: [baseUrl === undefined ? { type: 'demo' } : { type: 'openai', baseUrl }],
  pools: { 'user:*': { tokens: Number(tokens) } },
  budget: { leaseMs: 1_000, renewMs: 300, sweepMs: 200 },
  audit: { key: 'a key of this test alone' },
  storage: sqlStorage(new Database(file)),
  migrate: true,
  logger: false,
})
const identify = () => ({ user: 'ann', pool: 'user:ann', roles: ['admin'] })
const server = createServer(toNodeHandler(gateway, { identify }))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
