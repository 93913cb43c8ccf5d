// Brings a database up to date in a process of its own, as soon as FILE.go is there: node migrate-child.mjs PLACE [FILE]
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { storageAt } from './storage.mjs'

const [place, file = place] = process.argv.slice(2)
const storage = await storageAt(place)
console.log('ready')
while (!existsSync(`${file}.go`)) await pause(1)
await storage.open({ migrate: true })
await storage.budgets.reserve({
  id: `r${process.pid}`,
  owner: 'ann',
  phase: 'sent',
  pools: [
    { name: 'user:ann', terms: { capacity: { tokens: 100 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } },
  ],
  ask: { fixed: { tokens: 1, nanoUsd: 0 }, each: { tokens: 0, nanoUsd: 0 }, floor: 0, wish: 0, atMost: 0 },
  leaseMs: 60_000,
  now: Date.now(),
  onExpire: 'charge',
})
await storage.close()
process.exit(0)
