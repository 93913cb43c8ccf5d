import { completionTokens, promptTokens, type UsageRecord } from '@hoosh/core/storage'
import type { Columns, Dialect } from './dialect.js'
import { type Runner, rowsStatement } from './statement.js'
import type { Tables } from './tables.js'

export type UsageTables = ReturnType<typeof usageTables>

const RECORD: Columns = { at: 'integer', id: 'text', record: 'text' }
const KEY: Columns = { day: 'text', provider: 'text', route: 'text', model: 'text', user: 'text', pool: 'text' }
const SUMS: Columns = {
  requests: 'integer',
  prompt_tokens: 'integer',
  completion_tokens: 'integer',
  nano_usd: 'integer',
}
const TOTAL: Columns = { ...KEY, local: 'integer', ...SUMS }

/** The writes of usage: each record once, and what a transaction adds to a day in one row. */
export function usageTables(dialect: Dialect, { usage, totals }: Tables) {
  const insert = rowsStatement<{ id: unknown }>(
    dialect,
    RECORD,
    (rows) =>
      `insert into ${usage} (at, id, record) select at, id, record from ${rows} as r where true on conflict do nothing returning id`,
  )
  const names = Object.keys(TOTAL).map((name) => `"${name}"`)
  const keys = Object.keys(KEY).map((name) => `"${name}"`)
  const sums = Object.keys(SUMS).map((name) => `${name} = t.${name} + excluded.${name}`)
  const add = rowsStatement(
    dialect,
    TOTAL,
    (rows) => `insert into ${totals} as t (${names.join(', ')}) select ${names.join(', ')} from ${rows} as r where true
      on conflict (${keys.join(', ')}) do update set ${sums.join(', ')}`,
  )
  return {
    async record(runner: Runner, records: readonly UsageRecord[]): Promise<void> {
      if (records.length === 0) return
      const inserted = await insert(
        runner,
        records.map((record) => [record.at, record.id, JSON.stringify(record)]),
      )
      const fresh = new Set(inserted.map(({ id }) => String(id)))
      await add(
        runner,
        totalsOf(
          dialect,
          records.filter(({ id }) => fresh.delete(id)),
        ),
      )
    },
  }
}

/** In the order of their keys, in which transactions side by side lock them. */
function totalsOf({ told }: Dialect, records: readonly UsageRecord[]): unknown[][] {
  const rows = new Map<string, [key: unknown[], sums: [number, number, number, number]]>()
  for (const { at, provider, route, model, user, pool, local, usage, nanoUsd, reverses } of records) {
    const sign = reverses === true ? -1 : 1
    const key = [new Date(at).toISOString().slice(0, 10), ...[provider, route, model, user, pool].map(told)]
    const name = JSON.stringify(key)
    const [, sums] = rows.get(name) ?? [key, [0, 0, 0, 0]]
    rows.set(name, [
      [...key, local ? 1 : 0],
      [
        sums[0] + sign,
        sums[1] + sign * promptTokens(usage),
        sums[2] + sign * completionTokens(usage),
        sums[3] + sign * nanoUsd,
      ],
    ])
  }
  const ordered = [...rows].sort(([a], [b]) => (a < b ? -1 : 1))
  return ordered.map(([, [key, sums]]) => [...key, ...sums])
}
