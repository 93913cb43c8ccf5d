import { createHash, createHmac, randomUUID } from 'node:crypto'
import { GENESIS, headOf, link, writerKey } from '../../../packages/core/dist/audit/chain.js'
import { lineOfEntry } from '../../../packages/core/dist/audit/entry-line.js'
import { verifyAuditLog } from '../../../packages/core/dist/audit/index.js'
import { createAuditLog } from '../../../packages/core/dist/audit/log.js'
import { memoryAudit } from '../../../packages/core/dist/audit/memory-store.js'
import type { AuditRecord, AuditStore } from '../../../packages/core/dist/audit/store.js'
import { createVerifier } from '../../../packages/core/dist/audit/verifier.js'
import { memoryRates } from '../../../packages/core/dist/budget/memory-rates.js'
import { memoryBudgets } from '../../../packages/core/dist/budget/memory-store.js'
import { poolTerms } from '../../../packages/core/dist/budget/spec.js'
import type { Case } from './case.js'

// The memory stores: what every call asks of them.

const NOW = 1.79e12
const BATCH = 100
const VERIFIED = 10_000
const KEY = 'bench-key-of-thirty-two-characters'

const terms = poolTerms({ tokens: 1e12, usd: 1_000_000, window: 'month' })

export const stores: readonly Case[] = [
  { step: 'reserve + settle, one pool', original: 0.044, atMost: 1, make: () => holding(1) },
  { step: 'reserve + settle, 1,000,000 pools', planned: 1.8, atMost: 3, make: () => holding(1_000_000) },
  { step: 'rate-limit check', original: 0.008, atMost: 0.3, make: rate },
  {
    step: 'audit record, staged, linked, signed',
    times: BATCH,
    planned: 11,
    original: 3.8,
    atMost: 15,
    make: auditing,
  },
  { step: 'audit record, only hashed and tagged (bare)', times: BATCH, make: bareHashing },
  { step: 'audit line of an export verified', times: VERIFIED, make: verifyingLines },
  { step: 'audit entry verified', times: VERIFIED, atMost: 10, make: verifying },
]

function holding(pools: number): () => void {
  const budgets = memoryBudgets({ clock: () => NOW })
  const ask = {
    fixed: { tokens: 250, nanoUsd: 40_000 },
    each: { tokens: 1, nanoUsd: 600 },
    floor: 16,
    wish: 512,
    atMost: 512,
  }
  const actual = { tokens: 450, nanoUsd: 160_000 }
  let call = 0
  const one = (): void => {
    const id = `reservation-${call}`
    // A stride that is prime to the number of pools meets them all, and no cache helps. The name is made anew, as a
    // host's template makes it for each call: a million kept here would be a million more things in no cache.
    const name = `user:${(call++ * 7_919) % pools}`
    budgets.reserve({
      id,
      owner: 'bench',
      phase: 'sent',
      pools: [{ name, terms }],
      ask,
      leaseMs: 60_000,
      now: NOW,
      onExpire: 'charge',
    })
    budgets.settle(id, actual)
  }
  for (let made = 0; made < pools; made++) one()
  return one
}

/** At its limit of 300 a minute all the time: each call takes a place that another has just left. */
function rate(): () => unknown {
  const rates = memoryRates()
  const asks = [{ key: 'user:bench', limit: 301, windowMs: 60_000, cost: 1 }]
  let now = NOW
  return () => {
    now += 200
    return rates.take(asks, now)
  }
}

function auditing(): () => void {
  const store = memoryAudit()
  const log = createAuditLog({ store, key: KEY, node: 'bench', clock: () => NOW, ids: randomUUID, mode: 'strict' })
  const key = writerKey(KEY, log.writer)
  let head = GENESIS
  return () => {
    const records = Array.from({ length: BATCH }, () => recordIn(log))
    for (const record of records) store.stage(log.writer, [record])
    const entries = link(records, { writer: log.writer, head, key })
    store.link(log.writer, head, entries)
    head = headOf(entries, head)
  }
}

/** What any signed log pays: SHA-256 of the text, SHA-256 of the chain, HMAC of that, with Node's own objects. */
function bareHashing(): () => void {
  const texts = Array.from({ length: BATCH }, (_, index) => JSON.stringify({ ...sample, id: `bench-${index}` }))
  let head: Buffer = Buffer.alloc(32)
  return () => {
    for (const text of texts) {
      const body = createHash('sha256').update(text).digest()
      head = createHash('sha256').update(head).update(body).digest()
      createHmac('sha256', KEY).update(head).digest()
    }
  }
}

function verifyingLines(): () => void {
  const records = Array.from({ length: VERIFIED }, (_, index) => ({ ...sample, id: `bench-${index}`, timestamp: NOW }))
  const key = writerKey(KEY, 'bench/1')
  const lines = link(records, { writer: 'bench/1', head: GENESIS, key }).map((entry) => {
    return lineOfEntry({ ...entry, cursor: '' })
  })
  return () => {
    verifyAuditLog(lines, { key: KEY })
  }
}

function verifying(): () => Promise<void> {
  const store = memoryAudit({ maxEntries: VERIFIED })
  const log = createAuditLog({ store, key: KEY, node: 'bench', clock: () => NOW, ids: randomUUID, mode: 'strict' })
  fill(
    store,
    log.writer,
    Array.from({ length: VERIFIED }, () => recordIn(log)),
  )
  return () => createVerifier({ store, key: KEY, clock: () => NOW }).follow()
}

function fill(store: AuditStore, writer: string, records: readonly AuditRecord[]): void {
  store.link(writer, GENESIS, link(records, { writer, head: GENESIS, key: writerKey(KEY, writer) }))
}

const sample = {
  event: 'inference.settled',
  level: 'info',
  message: 'A call was charged.',
  provider: 'openai',
  model: 'gpt-4o-mini',
  subject: 'bench',
  pool: 'user:bench',
  reservation: 'reservation-1',
  requestId: 'request-1',
  metadata: { latency_ms: 412, nano_usd: 160_000, outcome: 'ok', stream: false, tokens: 450 },
} as const

function recordIn(log: { record: ReturnType<typeof createAuditLog>['record'] }): AuditRecord {
  return log.record({ ...sample, metadata: { ...sample.metadata } })
}
