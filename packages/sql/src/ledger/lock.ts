import { HooshError } from '@hoosh/core/storage'
import type { Connection } from '../connection.js'
import type { Dialect } from '../dialect.js'
import { limits } from '../moment.js'
import { type Runner, statement } from '../statement.js'
import type { Tables } from '../tables.js'
import type { Books } from './books.js'
import type { LedgerNeeds } from './needs.js'

/** Names that are remembered. */
const MAX_MADE = 100_000

type Row = Record<string, unknown>

/** Reservations whose leases were over first, up to a number of them; parameters: now, and how many. */
export function oldestLate(holds: string): string {
  return `select reservation from (
      select distinct reservation, lease_until from ${holds} where state = 'held' and lease_until <= ?
      order by lease_until limit ?
    ) as late`
}

/**
 * How transactions that run side by side keep off each other: whoever changes an account or a hold has locked the rows of
 * all pools it stands in, in the order of their names, so that nobody waits in a circle.
 */
export function ledgerLocks(dialect: Dialect, { pools, holds }: Tables, lockWaitMs: number) {
  const { strings } = dialect
  const ofHolds = (ids: string) => `select pool from ${holds} where reservation in ${ids}`
  const lockText = (names: string) =>
    `select name, template, override, credit_entry from ${pools} where name in (${names}) order by name for update`
  const named = `select value from ${strings} as named union ${ofHolds(strings)}`
  const lock = statement<Row>(dialect, lockText(named))
  const late = `(select reservation from ${holds} where state = 'held' and lease_until <= ? and pool in ${strings})`
  const lockWithLate = statement<Row>(dialect, lockText(`${named} union ${ofHolds(late)}`))
  const lockOverdue = statement<Row>(dialect, `${lockText(ofHolds(`(${oldestLate(holds)})`))} skip locked`)
  // Owners have no row of their own; their locks come after those of the pools, in an order as well.
  const lockOwners = statement<Row>(
    dialect,
    `select pg_advisory_xact_lock(key) from (
      select hashtextextended('${holds} ' || value, 0) as key from ${strings} as owners order by key
    ) as keys`,
  )
  const create = statement<never>(
    dialect,
    `insert into ${pools} (name) select value from ${strings} as names order by value on conflict do nothing`,
  )

  // A row that the host's own transaction is about to make is waited for no longer than a lock.
  const bound = statement<never>(dialect, `select ${limits(lockWaitMs)}`)

  /** Pools that have a row, as far as this process knows: of names that are used again they are never deleted. */
  const made = new Set<string>()
  const unmade = (needs: LedgerNeeds) => lockable(needs).filter((name) => !made.has(name))

  return {
    /** Makes a row for each pool that is asked for and has none, for it to be locked by: before the transaction, on its own. */
    async prepare(connection: Connection, needs: LedgerNeeds): Promise<void> {
      const missing = unmade(needs)
      if (missing.length === 0) return
      await connection.transaction(async (runner) => {
        await bound(runner)
        await create(runner, dialect.list(missing))
      })
      if (made.size > MAX_MADE) made.clear()
      for (const name of missing) made.add(name)
    },

    /** The same inside of a transaction, with which it may be undone: so nothing is remembered of it. */
    async prepareInside(runner: Runner, needs: LedgerNeeds): Promise<void> {
      const missing = unmade(needs)
      if (missing.length > 0) await create(runner, dialect.list(missing))
    },

    /** Locks the pools that the steps may change. Of those that only have overdue holds it takes what is free. */
    async lock(runner: Runner, at: number, needs: LedgerNeeds, isLate: boolean): Promise<Row[]> {
      const { asks, pools, reservations, owners, overdue } = needs
      const asked = dialect.list([...new Set(asks.map(({ pool }) => pool.name))])
      const names = dialect.list([...new Set([...asks.map(({ pool }) => pool.name), ...pools])])
      const ids = dialect.list([...reservations])
      const rows = isLate ? await lockWithLate(runner, names, ids, at, asked) : await lock(runner, names, ids)
      if (owners.size > 0) await lockOwners(runner, dialect.list([...owners]))
      if (isLate && overdue > 0) rows.push(...(await lockOverdue(runner, at, overdue)))
      const locked = new Set(rows.map(({ name }) => name))
      if (lockable(needs).some((name) => !locked.has(name))) {
        made.clear()
        throw again()
      }
      return rows
    },

    /**
     * Leaves out overdue holds with pools that somebody else has locked: they are his to end, or wait for the next sweep.
     *
     * @throws HooshError whose cause says that the transaction is to be tried again: a reservation was made after the
     *   locks were taken
     */
    ofLockedPools(rows: readonly Row[], books: Books, { reservations }: LedgerNeeds): readonly Row[] {
      const unlocked = rows.filter(({ pool }) => !books.pools.has(String(pool))).map(({ reservation }) => reservation)
      if (unlocked.length === 0) return rows
      if (unlocked.some((id) => reservations.has(String(id)))) throw again()
      const left = new Set(unlocked)
      return rows.filter(({ reservation }) => !left.has(reservation))
    },
  }
}

/** Pools that somebody knows the terms of, or is about to say. */
function lockable({ asks, pools }: LedgerNeeds): string[] {
  const known = asks.filter(({ pool }) => pool.terms !== null).map(({ pool }) => pool.name)
  return [...new Set([...known, ...pools])]
}

/** As Postgres itself says that a transaction met another one and is to be begun anew. */
function again(): HooshError {
  return new HooshError('store_unavailable', {
    message: 'Another process was quicker; try again.',
    cause: { code: '40001' },
  })
}
