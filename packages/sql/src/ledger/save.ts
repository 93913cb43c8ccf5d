import type { Columns, Dialect } from '../dialect.js'
import { type Runner, rowsStatement } from '../statement.js'
import type { Tables } from '../tables.js'
import { besideText } from './beside.js'
import type { Books, Held } from './books.js'
import type { TermsCodec } from './terms.js'

const POOL: Columns = { name: 'text', template: 'text', override: 'text', credit_entry: 'integer' }
const ACCOUNT: Columns = {
  pool: 'text',
  window_start: 'integer',
  window_end: 'integer',
  used_tokens: 'integer',
  used_nano_usd: 'integer',
  held_tokens: 'integer',
  held_nano_usd: 'integer',
  drawn_tokens: 'integer',
  drawn_nano_usd: 'integer',
  last_entry: 'integer',
}
const KEY: Columns = { reservation: 'text', pool: 'text' }
/** What changes of a reservation. */
const STATE: Columns = {
  state: 'text',
  held_tokens: 'integer',
  held_nano_usd: 'integer',
  counted_tokens: 'integer',
  counted_nano_usd: 'integer',
  charged_tokens: 'integer',
  charged_nano_usd: 'integer',
  overrun_tokens: 'integer',
  overrun_nano_usd: 'integer',
  corrected_tokens: 'integer',
  corrected_nano_usd: 'integer',
  lease_until: 'integer',
  ended_at: 'integer',
  entry: 'integer',
  beside: 'text',
}
/** What a reservation is born with for good. */
const BIRTH: Columns = {
  place: 'integer',
  window_start: 'integer',
  owner: 'text',
  phase: 'text',
  output_tokens: 'integer',
  since: 'integer',
  intent_id: 'text',
  intent_at: 'integer',
  call: 'text',
}
const CORRECTION: Columns = {
  pool: 'text',
  entry: 'integer',
  reservation: 'text',
  window_start: 'integer',
  tokens: 'integer',
  nano_usd: 'integer',
  overrun_tokens: 'integer',
  overrun_nano_usd: 'integer',
  at: 'integer',
  kind: 'text',
  reference: 'text',
  note: 'text',
}
const CREDIT: Columns = {
  pool: 'text',
  credit: 'text',
  tokens: 'integer',
  nano_usd: 'integer',
  left_tokens: 'integer',
  left_nano_usd: 'integer',
  until: 'integer',
  note: 'text',
}

/** The writes of the ledger: one statement a table for all that a transaction has changed. */
export function ledgerSaver(dialect: Dialect, tables: Tables, codec: TermsCodec) {
  const insert = (table: string, columns: Columns, conflict = '') => {
    const names = Object.keys(columns).join(', ')
    return rowsStatement(
      dialect,
      columns,
      (rows) => `insert into ${table} (${names}) select ${names} from ${rows} as r where true ${conflict}`,
    )
  }
  const upsert = (table: string, columns: Columns, key: readonly string[]) => {
    const others = Object.keys(columns).filter((name) => !key.includes(name))
    const set = others.map((name) => `${name} = excluded.${name}`)
    return insert(table, columns, `on conflict (${key.join(', ')}) do update set ${set.join(', ')}`)
  }
  const savePools = upsert(tables.pools, POOL, ['name'])
  const saveAccounts = upsert(tables.accounts, ACCOUNT, ['pool', 'window_start'])
  const insertHolds = insert(tables.holds, { ...KEY, ...STATE, ...BIRTH })
  const insertCorrections = insert(tables.corrections, CORRECTION)
  const saveCredits = upsert(tables.credits, CREDIT, ['pool', 'credit'])
  const updateHolds = rowsStatement(
    dialect,
    { ...KEY, ...STATE },
    (rows) => `update ${tables.holds} as h set ${Object.keys(STATE).map((name) => `${name} = r.${name}`)}
      from ${rows} as r where h.reservation = r.reservation and h.pool = r.pool`,
  )

  return async (runner: Runner, { at, changed, credits }: Books): Promise<void> => {
    const { pools, accounts, born, reservations, corrections } = changed
    await savePools(
      runner,
      [...pools].map(({ name, template, override, creditEntry }) => {
        return [name, codec.write(template), codec.write(override), creditEntry]
      }),
    )
    await saveAccounts(
      runner,
      [...accounts].map(({ pool, windowStart, windowEnd, used, held, drawn, lastEntry }) => {
        const figures = [used.tokens, used.nanoUsd, held.tokens, held.nanoUsd, drawn.tokens, drawn.nanoUsd]
        return [pool.name, windowStart, windowEnd, ...figures, lastEntry]
      }),
    )
    await insertHolds(runner, [...born].flatMap(bornRows))
    await updateHolds(runner, [...reservations].filter((held) => !born.has(held)).flatMap(rowsOf))
    await insertCorrections(
      runner,
      corrections.map(({ kind, pool, entry, reservation, windowStart, amount, overrun, reference, note }) => {
        const figures = [amount.tokens, amount.nanoUsd, overrun.tokens, overrun.nanoUsd]
        return [pool, entry, reservation, windowStart, ...figures, at, kind, reference, note]
      }),
    )
    await saveCredits(
      runner,
      [...changed.credits].flatMap(([pool, ids]) => {
        return [...ids].map((id) => {
          const { amount, left, expiresAt, note } = credits.get(pool)!.get(id)!
          return [pool, id, amount.tokens, amount.nanoUsd, left.tokens, left.nanoUsd, expiresAt, note]
        })
      }),
    )
  }
}

/** KEY and STATE of each pool. */
function rowsOf(held: Held): unknown[][] {
  return held.accounts.map(({ pool }, place) => [
    held.id,
    pool.name,
    held.state,
    held.held.tokens,
    held.held.nanoUsd,
    held.counted.tokens,
    held.counted.nanoUsd,
    held.charged.tokens,
    held.charged.nanoUsd,
    held.overrun.tokens,
    held.overrun.nanoUsd,
    held.corrected?.tokens ?? null,
    held.corrected?.nanoUsd ?? null,
    held.leaseUntil,
    held.endedAt,
    held.entries[place] ?? null,
    besideText(held, place),
  ])
}

/** KEY, STATE and BIRTH of each pool. */
function bornRows(held: Held): unknown[][] {
  const { accounts, owner, phase, outputTokens, since, intent, call } = held
  return rowsOf(held).map((row, place) => {
    row.push(
      place,
      accounts[place]!.windowStart,
      owner,
      phase,
      outputTokens,
      since,
      intent?.id ?? null,
      intent?.at ?? null,
      place === 0 ? call : null,
    )
    return row
  })
}
