import type { UsageFilter, UsageRecord, UsageStore, UsageTotal } from './store.js'
import { completionTokens, promptTokens } from './usage.js'

const DAY_MS = 86_400_000

type Row = { -readonly [Field in keyof UsageTotal]: UsageTotal[Field] } & { readonly day: number }

/**
 * Daily totals in this process's memory. Records themselves are not kept: nobody reads them.
 *
 * @param options.maxRecords how many ids of records are remembered, so that one told twice counts once; 10_000
 * @param options.maxTotals rows of totals (day, provider, route, model, user, pool) kept, the oldest go first; 100_000
 */
export function memoryUsage(options: { maxRecords?: number; maxTotals?: number } = {}): UsageStore {
  const { maxRecords = 10_000, maxTotals = 100_000 } = options
  const known = recentIds(maxRecords)
  const rows = new Map<string, Row>()
  return {
    record(records) {
      for (const record of records) {
        if (!known.isNew(record.id)) continue
        add(rows, record)
        if (rows.size > maxTotals) rows.delete(rows.keys().next().value as string)
      }
    },
    totals: (filter) => summed(rows.values(), filter),
    reset: () => rows.clear(),
  }
}

/** The last ids seen, in a ring: a Set alone would step over all it has forgotten to find its oldest. */
function recentIds(most: number): { isNew(id: string): boolean } {
  const ids = new Set<string>()
  const ring: string[] = []
  let next = 0
  return {
    isNew(id) {
      if (ids.has(id)) return false
      const forgotten = ring[next]
      if (forgotten !== undefined) ids.delete(forgotten)
      ring[next] = id
      next = (next + 1) % most
      ids.add(id)
      return true
    },
  }
}

function add(rows: Map<string, Row>, record: UsageRecord): void {
  const day = Math.floor(record.at / DAY_MS)
  const key = `${day} ${groupOf(record)}`
  const known = rows.get(key)
  const row = known ?? { ...emptyTotal(record), day }
  if (known === undefined) rows.set(key, row)
  const sign = record.reverses === true ? -1 : 1
  row.requests += sign
  row.promptTokens += sign * promptTokens(record.usage)
  row.completionTokens += sign * completionTokens(record.usage)
  row.nanoUsd += sign * record.nanoUsd
}

function summed(rows: Iterable<Row>, filter: UsageFilter): UsageTotal[] {
  const from = filter.from === undefined ? -Infinity : Date.parse(filter.from) / DAY_MS
  const to = filter.to === undefined ? Infinity : Date.parse(filter.to) / DAY_MS
  const totals = new Map<string, Omit<Row, 'day'>>()
  for (const row of rows) {
    if (row.day < from || row.day > to) continue
    if (filter.user !== undefined && row.user !== filter.user) continue
    if (filter.pool !== undefined && row.pool !== filter.pool) continue
    const key = groupOf(row)
    const known = totals.get(key)
    const total = known ?? emptyTotal(row)
    if (known === undefined) totals.set(key, total)
    total.requests += row.requests
    total.promptTokens += row.promptTokens
    total.completionTokens += row.completionTokens
    total.nanoUsd += row.nanoUsd
  }
  return [...totals.values()]
}

type Group = Pick<UsageTotal, 'provider' | 'route' | 'local' | 'model' | 'user' | 'pool'>

/** Only the model's name can come from a client, and between names that are the host's it cannot pass for another group. */
function groupOf({ provider, route, model, user, pool }: Group): string {
  return `${provider}\0${route}\0${model}\0${user}\0${pool}`
}

function emptyTotal({ provider, route, local, model, user, pool }: Group): Omit<Row, 'day'> {
  return { provider, route, local, model, user, pool, requests: 0, promptTokens: 0, completionTokens: 0, nanoUsd: 0 }
}
