import { randomUUID } from 'node:crypto'
import type Database from 'libsql'
import type { Pool } from 'pg'
import type { One } from './work.js'

// The least that any ledger in a database does: two transactions of two statements, with ids that are remembered.

const TABLES = (schema: string) => [
  `create table ${schema}accounts (pool text primary key, cap bigint not null, used bigint not null, held bigint not null)`,
  `create table ${schema}holds (id text primary key, pool text not null, amount bigint not null, state text not null)`,
]
const HOLD = (schema: string, n: (position: number) => string) => [
  `update ${schema}accounts set held = held + ${n(1)} where pool = ${n(2)} and used + held + ${n(3)} <= cap`,
  `insert into ${schema}holds values (${n(1)}, ${n(2)}, ${n(3)}, 'held')`,
]
const SETTLE = (schema: string, n: (position: number) => string) => [
  `update ${schema}holds set state = 'settled' where id = ${n(1)} and state = 'held'`,
  `update ${schema}accounts set held = held - ${n(1)}, used = used + ${n(2)} where pool = ${n(3)}`,
]
const CAP = 1e15
const HELD = 1_000
const USED = 400

/** In PostgreSQL, each transaction on a connection of the pool. */
export async function barePostgres(pool: Pool, schema: string, pools: number): Promise<One> {
  const prefix = `${schema}.bare_${pools}_`
  for (const table of TABLES(prefix)) await pool.query(table)
  await pool.query(`insert into ${prefix}accounts select 'p' || n, ${CAP}, 0, 0 from generate_series(0, $1) as n`, [
    pools,
  ])
  const n = (position: number) => `$${position}`
  const [raise, enter] = HOLD(prefix, n) as [string, string]
  const [end, charge] = SETTLE(prefix, n) as [string, string]
  const within = async (statements: readonly [string, unknown[]][]) => {
    const client = await pool.connect()
    await client.query('begin')
    for (const [text, values] of statements) await client.query(text, values)
    await client.query('commit')
    client.release()
  }
  return async (number) => {
    const [id, name] = [randomUUID(), `p${number}`]
    await within([
      [raise, [HELD, name, HELD]],
      [enter, [id, name, HELD]],
    ])
    await within([
      [end, [id]],
      [charge, [HELD, USED, name]],
    ])
  }
}

/** In SQLite, with the settings of ours, statements prepared. */
export function bareSqlite(database: Database.Database, pools: number): One {
  const prefix = `bare_${pools}_`
  for (const pragma of ['journal_mode = wal', 'synchronous = normal']) database.pragma(pragma)
  for (const table of TABLES(prefix)) database.exec(table)
  const account = database.prepare(`insert into ${prefix}accounts values (?, ${CAP}, 0, 0)`)
  database.transaction(() => {
    for (let number = 0; number < pools; number += 1) account.run(`p${number}`)
  })()
  const [raise, enter] = HOLD(prefix, () => '?').map((text) => database.prepare(text)) as [Statement, Statement]
  const [end, charge] = SETTLE(prefix, () => '?').map((text) => database.prepare(text)) as [Statement, Statement]
  const [begin, commit] = ['begin immediate', 'commit'].map((text) => database.prepare(text)) as [Statement, Statement]
  return (number) => {
    const [id, name] = [randomUUID(), `p${number}`]
    begin.run()
    raise.run(HELD, name, HELD)
    enter.run(id, name, HELD)
    commit.run()
    begin.run()
    end.run(id)
    charge.run(HELD, USED, name)
    commit.run()
  }
}

type Statement = Database.Statement
