// Holds one token at a time in a process of its own, all at once, from the built packages:
// node reserve-child.mjs URL PREFIX CLIENT SEED COUNT CAP POOL... It begins when its input ends, settles about every other hold,
// and prints how many calls came to what.
import { once } from 'node:events'
import { redisStorage } from '@hoosh/redis'
import { Redis } from 'ioredis'
import { createClient } from 'redis'

const [url, prefix, kind, seed, count, cap, ...names] = process.argv.slice(2)
const client = kind === 'ioredis' ? new Redis(url) : await createClient({ url }).connect()
const { budgets } = redisStorage(client, { prefix, allowVolatile: true, timeoutMs: 2_000 })

let state = Number(seed)
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return state / 2 ** 32
}
const shuffled = (items) =>
  items
    .map((item) => [random(), item])
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)

const none = { tokens: 0, nanoUsd: 0 }
const one = { tokens: 1, nanoUsd: 3 }
const terms = { capacity: { tokens: Number(cap) }, window: null, timeZone: 'UTC', unpriced: 'refuse' }
const outcomes = {}
const call = async (index) => {
  const id = `${seed}:${process.pid}:${index}`
  const pools = shuffled(names).map((name) => ({ name, terms }))
  const settles = random() < 0.5
  const ask = { fixed: one, each: none, floor: 0, wish: 0, atMost: 0 }
  const more = { owner: 'ann', phase: 'sent', leaseMs: 600_000, now: Date.now(), onExpire: 'charge' }
  try {
    await budgets.reserve({ id, pools, ask, ...more })
    if (settles) await budgets.settle(id, one)
    return settles ? 'settled' : 'held'
  } catch (error) {
    return error.code ?? String(error)
  }
}

await budgets.overrides() // connected, and looked at
console.log('ready')
process.stdin.resume()
await once(process.stdin, 'end')
for (const outcome of await Promise.all(Array.from({ length: Number(count) }, (_, index) => call(index))))
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
console.log(JSON.stringify(outcomes))
process.exit()
