import type { AddressInfo } from 'node:net'
import { createApp } from './app.js'

const { app, close } = await createApp(process.env.DATABASE ?? 'orders.sqlite')
const server = app.listen(Number(process.env.PORT ?? 8091), '127.0.0.1')
server.on('listening', () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  console.log(`
A print shop on ${url}. Ada has 1,000 tokens a month, and a page costs 100: order three pages, the same
again (its reference is taken, so nothing is charged), then more than is left (so there is no order), and look at both books:

  curl ${url}/orders -H 'x-customer: ada' -H 'content-type: application/json' -d '{"reference":"A-1","pages":3}'
  curl ${url}/orders -H 'x-customer: ada' -H 'content-type: application/json' -d '{"reference":"A-1","pages":3}'
  curl ${url}/orders -H 'x-customer: ada' -H 'content-type: application/json' -d '{"reference":"A-2","pages":8}'
  curl ${url}/orders -H 'x-customer: ada'
  curl ${url}/v1/tokens/pools -H 'x-customer: ada'
`)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => server.close(() => void close()))
}
