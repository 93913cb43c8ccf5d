import type { UsageFilter, UsageStore, UsageTotal } from '@hoosh/core/storage'
import type { Batches } from './batch.js'
import type { Connection } from './connection.js'
import { run, statement } from './statement.js'
import type { Tables } from './tables.js'
import type { Step } from './work.js'

type Row = Record<string, unknown>

/** Usage records and their daily totals in the database. */
export function sqlUsage(connection: Connection, { totals }: Tables, batches: Batches<Step>): UsageStore {
  return {
    record: async (records) => void (await batches.add({ do: 'usage', records })),
    async totals(filter) {
      const [where, values] = conditions(filter)
      const find = statement<Row>(
        connection.dialect,
        `select provider, route, local, model, "user", pool, sum(requests) as requests, sum(prompt_tokens) as prompt_tokens,
          sum(completion_tokens) as completion_tokens, sum(nano_usd) as nano_usd from ${totals} where ${where}
          group by provider, route, local, model, "user", pool order by provider, route, model, "user", pool`,
      )
      return (await connection.read((runner) => find(runner, ...values))).map(totalOf)
    },
    reset: async () => void (await connection.transaction((runner) => run(runner, `delete from ${totals}`))),
  }
}

function conditions({ user, pool, from, to }: UsageFilter): [string, unknown[]] {
  const parts: [string, unknown][] = []
  if (user !== undefined) parts.push(['"user" = ?', user])
  if (pool !== undefined) parts.push(['pool = ?', pool])
  if (from !== undefined) parts.push(['day >= ?', from])
  if (to !== undefined) parts.push(['day <= ?', to])
  return [parts.length === 0 ? '1 = 1' : parts.map(([text]) => text).join(' and '), parts.map(([, value]) => value)]
}

function totalOf(row: Row): UsageTotal {
  return {
    provider: String(row.provider),
    route: String(row.route),
    local: Number(row.local) === 1,
    model: String(row.model),
    user: String(row.user),
    pool: String(row.pool),
    requests: Number(row.requests),
    promptTokens: Number(row.prompt_tokens),
    completionTokens: Number(row.completion_tokens),
    nanoUsd: Number(row.nano_usd),
  }
}
