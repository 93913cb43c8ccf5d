import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BookCheck, Clock, Finding } from '@hoosh/core/storage'
import type { Connection } from '../connection.js'
import { unhurried } from '../moment.js'
import { type Runner, statement } from '../statement.js'
import type { Tables } from '../tables.js'
import { capacities, capsOf, sums } from './accounts.js'
import { credits } from './credits.js'
import { damaged } from './damaged.js'
import { type Asked, type Look, MOST, type Row } from './look.js'
import { corrections, costs, endings, orphans, overdue, parts, windows } from './reservations.js'

const LOOKS = [sums, credits, endings, parts, corrections, orphans, overdue, windows, costs]

/** Adding up a large ledger takes as long as it takes. */
const PATIENCE_MS = 600_000

export interface CheckParts {
  readonly connection: Connection
  readonly tables: Tables
  /** The clock of leases; absent where that is the database's. */
  readonly clock: Clock | undefined
  /** What is wrong with the schema, null where it is ours. */
  schema(): Promise<Finding | null>
}

/** `BudgetStore.check`: every question in one transaction that sees one moment, so that work under way raises no alarm. */
export async function checkBooks({ connection, tables, clock, schema }: CheckParts): Promise<BookCheck> {
  const strange = await schema()
  if (strange !== null) return { findings: [strange], looked: {} }
  const { dialect } = connection
  // A turn of its own, as all transactions on SQLite have: see `batches`.
  await nextTurn()
  return connection.snapshot(async (runner) => {
    const slow = dialect.locksRows ? `, ${unhurried(PATIENCE_MS)}` : ''
    const [now] = await statement<Row>(dialect, `select ${dialect.now} as at${slow}`)(runner)
    const asked: Asked = { dialect, tables, at: clock?.() ?? Number(now!.at) }
    const { caps, findings } = await capsOf(runner, asked)
    for (const look of [...LOOKS.map((make) => make(asked)), capacities(asked, caps)])
      findings.push(...(await answersTo(runner, asked, look)))
    findings.push(...(await damaged(runner, asked)))
    for (const { name, found, expected } of await statement<Row>(dialect, dialect.settings)(runner))
      findings.push({ code: 'setting', what: String(name), found: String(found), expected: String(expected) })
    return { findings, looked: await sizeOf(runner, asked) }
  }, PATIENCE_MS)
}

async function answersTo(runner: Runner, { dialect }: Asked, { text, parameters = [], findings }: Look) {
  const rows = await statement<Row>(dialect, `${text} limit ${MOST}`)(runner, ...parameters)
  return rows.flatMap(findings).slice(0, MOST)
}

async function sizeOf(runner: Runner, { dialect, tables }: Asked): Promise<Record<string, number>> {
  const { accounts, holds, corrections: table, usage } = tables
  const [row] = await statement<Row>(
    dialect,
    `select (select count(*) from ${accounts}) as accounts,
      (select count(distinct reservation) from ${holds} where state = 'held') as opened,
      (select count(*) from ${holds} where state <> 'held') + (select count(*) from ${table}) as entries,
      (select count(*) from ${usage}) as usage`,
  )(runner)
  return {
    accounts: Number(row!.accounts),
    'open reservations': Number(row!.opened),
    entries: Number(row!.entries),
    'usage records': Number(row!.usage),
  }
}
