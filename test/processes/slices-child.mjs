// Calls out of slices until it is refused, each of them billed before it is settled:
// node slices-child.mjs PLACE FILE [ORDERS as JSON: { seed, held, capacity, calls, leaseMs, window }]
// Begins as soon as FILE.go is there. Prints the bill of each call before it can be settled, at last how it ended.
import { randomUUID } from 'node:crypto'
import { existsSync, writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { slicedBudgets } from '@hoosh/core/storage'
import { storageAt } from './storage.mjs'

const [place, file, orders] = process.argv.slice(2)
const { seed, held, capacity, calls, leaseMs } = JSON.parse(orders)
const amount = (tokens) => ({ tokens, nanoUsd: 0 })

let state = seed
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return state / 2 ** 32
}

const storage = await storageAt(place)
await storage.open({ migrate: false })
const failed = []
const slices = slicedBudgets({
  store: storage.budgets,
  pools: ['tenant:*'],
  clock: Date.now,
  leaseMs,
  onExpire: 'charge',
  ids: randomUUID,
  failed: (error) => failed.push(String(error)),
})
console.log('ready')
while (!existsSync(`${file}.go`)) await pause(1)
const beats = setInterval(() => slices.beat().catch((error) => failed.push(String(error))), leaseMs / 4)

const told = { granted: 0, refused: 0 }
const terms = { capacity: { tokens: capacity }, window: null, timeZone: 'UTC', unpriced: 'refuse' }
let left = calls
const call = async () => {
  const id = randomUUID()
  const ask = { fixed: amount(held), each: amount(0), floor: 0, wish: 0, atMost: 0 }
  const pools = [{ name: 'tenant:acme', terms }]
  await slices.budgets.reserve({
    id,
    owner: 'ann',
    phase: 'sent',
    pools,
    ask,
    leaseMs,
    now: Date.now(),
    onExpire: 'charge',
  })
  told.granted += 1
  const actual = 1 + Math.floor(random() * held)
  writeSync(1, `${actual}\n`)
  await pause(random() * 5)
  await slices.budgets.settle(id, amount(actual))
}
const caller = async () => {
  for (let refusals = 0; left > 0 && refusals < 3; left -= 1) {
    try {
      await call()
      refusals = 0
    } catch (error) {
      if (error.code !== 'budget_exceeded') throw error
      told.refused += 1
      refusals += 1
      await pause(20)
    }
  }
}
await Promise.all(Array.from({ length: 32 }, caller))
clearInterval(beats)
await slices.close()
console.log(JSON.stringify({ ...told, failed }))
await storage.close()
process.exit(0)
