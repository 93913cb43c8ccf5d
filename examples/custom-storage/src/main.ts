import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import Database from 'libsql'
import { ownBudgets } from './budgets.js'

const db = new Database(process.env.DATABASE ?? 'custom-storage.sqlite', { timeout: 250 })
db.exec('pragma journal_mode = wal; pragma synchronous = normal')

const gateway = createGateway({
  pools: { 'user:*': { tokens: 20_000, window: 'day' } },
  // The other stores stay in memory here; each may be one of yours, of @hoosh/sql, or of @hoosh/redis.
  storage: { budgets: ownBudgets(db) },
})
const handler = toNodeHandler(gateway, { identify: () => ({ user: 'ada', pool: 'user:ada' }) })
const server = createServer(handler).listen(Number(process.env.PORT ?? 8092), '127.0.0.1', () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  console.log(`
hoosh on ${url}, its budgets in tables of the app's own. Ask as Ada, then see what it cost, here and in the table:

  curl ${url}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"model":"demo","messages":[{"role":"user","content":"Hello!"}]}'
  curl ${url}/v1/tokens/pools
`)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await gateway.close() // running calls finish
    server.close(() => db.close())
  })
}
