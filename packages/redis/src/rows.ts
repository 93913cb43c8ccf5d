import {
  type Amount,
  type Credit,
  type Entry,
  type ExpiredReservation,
  lostUsage,
  NO_CREDITS,
  type PoolState,
  type PoolTerms,
  type Reservation,
  type Standing,
  storedCall,
  type UsageRecord,
  unknownPool,
} from '@hoosh/core/storage'
import type { TermsBook } from './terms.js'

/** A reservation as a script tells of it. */
export interface HoldRow extends Standing {
  readonly owner: string
  readonly phase: Reservation['phase']
  readonly outputTokens: number
  readonly leaseUntil: number
  readonly endedAt: number
  /** `CallFacts` as JSON; '' where it is no call. */
  readonly call: string
  readonly places: readonly { readonly pool: string; readonly windowStart: number }[]
}

/** Strings of a row; a client may be set to give buffers. */
export function texts(row: unknown): string[] {
  return (row as unknown[]).map(String)
}

export function amountOf(pair: unknown): Amount {
  const [tokens, nanoUsd] = pair as [unknown, unknown]
  return { tokens: Number(tokens), nanoUsd: Number(nanoUsd) }
}

export function holdOf(row: unknown): HoldRow {
  const [id, owner, phase, state, held, counted, charged, corrected, output, lease, ended, call, places, refunds] =
    row as unknown[]
  return {
    id: String(id),
    owner: String(owner),
    phase: String(phase) as HoldRow['phase'],
    state: String(state) as HoldRow['state'],
    held: amountOf(held),
    counted: amountOf(counted),
    charged: amountOf(charged),
    corrected: (corrected as unknown[]).length === 0 ? null : amountOf(corrected),
    outputTokens: Number(output),
    leaseUntil: Number(lease),
    endedAt: Number(ended),
    call: String(call),
    places: (places as [unknown, unknown][]).map(([pool, start]) => ({
      pool: String(pool),
      windowStart: Number(start),
    })),
    refunds: (refunds as [unknown, unknown, unknown[]][]).map(([refund, amount, note]) => ({
      id: String(refund),
      amount: amountOf(amount),
      note: textOr(note),
    })),
  }
}

/** A text that may be none: in Lua a list of one or of nothing. */
function textOr([text]: readonly unknown[]): string | null {
  return text === undefined ? null : String(text)
}

function creditOf(row: unknown): Credit {
  const [id, amount, left, till, note] = row as [unknown, unknown, unknown, unknown, unknown[]]
  return { id: String(id), left: amountOf(left), ...givenOf([amount, till, note]) }
}

/** What a credit was given with. */
export function givenOf(row: unknown): Pick<Credit, 'amount' | 'expiresAt' | 'note'> {
  const [amount, till, note] = row as [unknown, unknown, unknown[]]
  return { amount: amountOf(amount), expiresAt: String(till) === '' ? null : Number(till), note: textOr(note) }
}

/** @param said what the host says of the pool, which a template that was stored before does not win over */
export function stateOf(row: unknown, book: TermsBook, said: PoolTerms | null = null): PoolState {
  const [used, held, drawn, credits] = (row as unknown[]).slice(5) as [unknown, unknown, unknown, unknown[]]
  const [name, override, template, start, ends] = texts((row as unknown[]).slice(0, 5)) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const terms = book.read(override) ?? said ?? book.read(template)
  if (terms === null) throw unknownPool(name)
  return {
    name,
    terms,
    windowStart: Number(start),
    windowEnd: ends === '' ? null : Number(ends),
    used: amountOf(used),
    held: amountOf(held),
    drawn: amountOf(drawn),
    credits: credits.length === 0 ? NO_CREDITS : credits.map(creditOf),
  }
}

export function reservationOf({ id, owner, phase, state, counted, leaseUntil, places, held }: HoldRow): Reservation {
  return { id, owner, phase, state, holds: places.map((place) => ({ ...place, amount: held })), counted, leaseUntil }
}

export function expiredOf(row: unknown, book: TermsBook): ExpiredReservation {
  const [held, states] = row as [unknown, unknown[]]
  const hold = holdOf(held)
  const { id, owner, phase, charged } = hold
  const usage = usageOf(hold)
  const booked = states.filter(isListed).map((state) => stateOf(state, book))
  return { id, owner, phase, pools: poolsOf(hold), charged, booked, ...(usage !== null && { usage }) }
}

/** Of one that was forgotten nobody knows the terms any more. */
function isListed(state: unknown): boolean {
  const [, override, template] = state as unknown[]
  return String(override) !== '' || String(template) !== ''
}

export function poolsOf({ places }: HoldRow): string[] {
  return places.map(({ pool }) => pool)
}

/** The usage record of a call that has expired; null where it was no call, or nobody can read which. */
export function usageOf(hold: HoldRow): UsageRecord | null {
  const call = hold.call === '' ? null : storedCall(hold.call)
  return call === null ? null : lostUsage({ ...hold, pools: poolsOf(hold), call, at: hold.endedAt })
}

export function entryOf(pool: string, row: unknown): Entry {
  const [id, fields] = row as [unknown, unknown]
  const flat = texts(fields)
  const said = new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1]!] as const] : [])))
  return {
    id: String(id),
    reservation: said.get('id') || null,
    pool,
    windowStart: said.get('start') === '' ? null : Number(said.get('start')),
    kind: said.get('kind') as Entry['kind'],
    amount: amountOf([said.get('t'), said.get('n')]),
    overrun: amountOf([said.get('ot'), said.get('on')]),
    at: Number(said.get('at')),
    reference: said.get('ref') ?? null,
    note: said.get('note') ?? null,
  }
}
