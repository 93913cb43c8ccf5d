// Reserves side by side as soon as FILE.go is there, and settles some: node ledger-child.mjs PLACE FILE [ORDERS as JSON]
// Prints how many were granted and what else was told. Orders: { seed, from, count, tokens, pools, capacity }
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { storageAt } from './storage.mjs'

const [place, file, orders] = process.argv.slice(2)
const { seed, from, count, tokens, pools, capacity } = JSON.parse(orders)
const nothing = { tokens: 0, nanoUsd: 0 }
const amount = { tokens, nanoUsd: 0 }

let state = seed
const random = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return state / 2 ** 32
}
const shuffled = (items) => {
  const copy = [...items]
  for (let at = copy.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1))
    ;[copy[at], copy[other]] = [copy[other], copy[at]]
  }
  return copy
}

const terms = { capacity: { tokens: capacity }, window: null, timeZone: 'UTC', unpriced: 'refuse' }
const storage = await storageAt(place)
await storage.open({ migrate: false })
console.log('ready')
while (!existsSync(`${file}.go`)) await pause(1)

const told = { granted: 0, settled: 0 }
const reserve = async (number) => {
  const id = `r${number}`
  const request = {
    id,
    owner: 'ann',
    phase: 'sent',
    pools: shuffled(pools).map((name) => ({ name, terms })),
    ask: { fixed: amount, each: nothing, floor: 0, wish: 0, atMost: 0 },
    leaseMs: 600_000,
    now: 0,
    onExpire: 'charge',
  }
  const settles = random() < 0.5
  try {
    await storage.budgets.reserve(request)
    told.granted += 1
    if (!settles) return
    await storage.budgets.settle(id, amount)
    told.settled += 1
  } catch ({ code, message }) {
    const what = code === 'budget_exceeded' ? code : `${code}: ${message}`
    told[what] = (told[what] ?? 0) + 1
  }
}
const began = performance.now()
await Promise.all(Array.from({ length: count }, (_, index) => reserve(from + index)))
console.log(JSON.stringify({ ...told, ms: Math.round(performance.now() - began) }))
await storage.close()
process.exit(0)
