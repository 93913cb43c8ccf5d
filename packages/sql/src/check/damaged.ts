import { type Finding, storedCall } from '@hoosh/core/storage'
import { readBeside } from '../ledger/beside.js'
import { type Runner, statement } from '../statement.js'
import { type Asked, MOST, type Row } from './look.js'

/** Rows that are in memory at a time. */
const PAGE = 1_000

/** Texts beside reservations that nobody can read: a call's while it may still be lost, what was drawn on credits and refunded. */
export async function damaged(runner: Runner, { dialect, tables: { holds } }: Asked): Promise<Finding[]> {
  const page = statement<Row>(
    dialect,
    `select reservation, pool, call, beside from ${holds}
      where (reservation, pool) > (?, ?) and ((call is not null and state in ('held', 'expired')) or beside is not null)
      order by reservation, pool limit ${PAGE}`,
  )
  const findings: Finding[] = []
  let last = ['', '']
  for (;;) {
    const rows = await page(runner, ...last)
    for (const row of rows) findings.push(...damageOf(row))
    if (rows.length < PAGE || findings.length >= MOST) return findings.slice(0, MOST)
    last = [String(rows.at(-1)!.reservation), String(rows.at(-1)!.pool)]
  }
}

function damageOf({ reservation, pool, call, beside }: Row): Finding[] {
  const found: Finding[] = []
  const note = (what: string) =>
    found.push({ code: 'damaged', reservation: String(reservation), pool: String(pool), what })
  if (call !== null && storedCall(String(call)) === null) note('what is stored of its call')
  if (beside !== null && readBeside(String(beside)) === null) note('what it drew on credits, and its refunds')
  return found
}
