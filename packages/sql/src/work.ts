import {
  type Amount,
  type Ask,
  type AuditRecord,
  type CallRecords,
  type ChainHead,
  type Ending,
  type ExpirePolicy,
  HooshError,
  type LinkedRecord,
  lostEvent,
  type NewCheckpoint,
  type NewCredit,
  type NewRefund,
  type PoolAsk,
  type PoolTerms,
  type ReserveRequest,
  released,
  settled,
  type UsageRecord,
} from '@hoosh/core/storage'
import type { AuditTables } from './audit-tables.js'
import type { Outcome, RunSteps } from './batch.js'
import type { Connection } from './connection.js'
import { type Books, emptyBooks, type Held, keepsUsage, usageOf } from './ledger/books.js'
import { endCredits } from './ledger/credits.js'
import type { Loader } from './ledger/load.js'
import type { LedgerNeeds } from './ledger/needs.js'
import * as ledger from './ledger/steps.js'
import type { TermsCodec } from './ledger/terms.js'
import type { Moment } from './moment.js'
import type { Runner } from './statement.js'
import type { UsageTables } from './usage-tables.js'

/** One operation of a store that writes. */
export type Step =
  | { readonly do: 'reserve'; readonly request: ReserveRequest }
  | { readonly do: 'extend'; readonly id: string; readonly ask: Ask }
  | { readonly do: 'renew'; readonly running: readonly { id: string; counted: Amount }[]; readonly leaseMs: number }
  | { readonly do: 'settle'; readonly id: string; readonly actual: Amount; readonly records?: CallRecords | undefined }
  | { readonly do: 'release'; readonly id: string; readonly records?: CallRecords | undefined }
  | { readonly do: 'expire'; readonly policy: ExpirePolicy & { readonly limit: number } }
  | {
      readonly do: 'define'
      readonly pool: string
      readonly terms: PoolTerms | null
      readonly records?: CallRecords | undefined
    }
  | {
      readonly do: 'freeze'
      readonly pool: PoolAsk
      readonly frozen: boolean
      readonly records?: CallRecords | undefined
    }
  | {
      readonly do: 'credit'
      readonly pool: PoolAsk
      readonly credit: NewCredit
      readonly now: number
      readonly records?: CallRecords | undefined
    }
  | { readonly do: 'refund'; readonly refund: NewRefund; readonly records?: CallRecords | undefined }
  | { readonly do: 'endCredits'; readonly pools: readonly string[] }
  | { readonly do: 'forget'; readonly pool: string }
  | { readonly do: 'stage'; readonly writer: string; readonly records: readonly AuditRecord[] }
  | {
      readonly do: 'link'
      readonly writer: string
      readonly after: ChainHead
      readonly entries: readonly LinkedRecord[]
    }
  | {
      readonly do: 'checkpoint'
      readonly writer: string
      readonly at: ChainHead
      readonly checkpoint: NewCheckpoint
    }
  | { readonly do: 'trim'; readonly writer: string; readonly through: ChainHead }
  | { readonly do: 'usage'; readonly records: readonly UsageRecord[] }

export interface WorkParts {
  readonly connection: Connection
  readonly moment: (runner: Runner, asksForLate: boolean) => Promise<Moment>
  readonly ids: () => string
  readonly codec: TermsCodec
  readonly loader: Pick<Loader, 'load' | 'prepare' | 'prepareInside'>
  readonly save: (runner: Runner, books: Books) => Promise<void>
  readonly forget: (runner: Runner, pool: string) => Promise<boolean>
  readonly audit: AuditTables
  readonly usage: UsageTables
}

/** What a transaction leaves to be written beside the ledger. */
interface Beside {
  readonly staged: { writer: string; record: AuditRecord }[]
  readonly usage: UsageRecord[]
  readonly lost: Held[]
}

/** Records that the ledger stages know no writer; whoever is told of them, or starts after a crash, links them. */
const NO_WRITER = ''

/** Runs the steps of one transaction: reads what they need, decides them in turn, writes what has changed. */
export function workOn(parts: WorkParts): RunSteps<Step> {
  let lastEntry = 0
  return async (steps) => {
    const needs = needsOf(steps)
    await parts.loader.prepare(parts.connection, needs)
    return parts.connection.transaction(async (runner) => {
      const done = await perform(parts, runner, steps, needs, lastEntry)
      lastEntry = done.lastEntry
      return done.outcomes
    })
  }
}

/** Runs a step inside of a transaction of the host's, which may be undone: nothing of it is remembered. */
export function workInside(parts: Omit<WorkParts, 'connection'>): (runner: Runner, step: Step) => Promise<unknown> {
  return async (runner, step) => {
    const [outcome] = (await perform(parts, runner, [step], needsOf([step]), 0)).outcomes
    if ('error' in outcome!) throw outcome.error
    return outcome!.value
  }
}

async function perform(
  parts: Omit<WorkParts, 'connection'>,
  runner: Runner,
  steps: readonly Step[],
  needs: LedgerNeeds,
  lastEntry: number,
): Promise<{ readonly outcomes: readonly Outcome[]; readonly lastEntry: number }> {
  // Also where a pool was forgotten after its row was seen, and the transaction is tried again.
  await parts.loader.prepareInside(runner, needs)
  const { at, late } = await parts.moment(runner, needs.asks.length > 0 || needs.overdue > 0)
  const books = emptyBooks(at, lastEntry)
  await parts.loader.load(runner, books, needs, late)
  const beside: Beside = { staged: [], usage: [], lost: [] }
  const outcomes: Outcome[] = []
  for (const step of steps)
    outcomes.push(isOnRows(step) ? await onRows(parts, runner, step) : decided(parts, books, step, beside))
  await parts.save(runner, books)
  await parts.audit.stage(runner, beside.staged)
  await parts.usage.record(runner, beside.usage)
  if (beside.lost.length > 0) await parts.audit.stage(runner, await lostRecords(parts, runner, books.at, beside.lost))
  return { outcomes, lastEntry: books.lastEntry }
}

function needsOf(steps: readonly Step[]): LedgerNeeds {
  const needs: LedgerNeeds = {
    reservations: new Set(),
    asks: [],
    pools: new Set(),
    owners: new Set(),
    credits: [],
    overdue: 0,
  }
  for (const step of steps) {
    if (step.do === 'reserve') {
      const { id, pools, now, owner, maxOpen } = step.request
      needs.reservations.add(id)
      for (const pool of pools) needs.asks.push({ pool, now })
      if (maxOpen !== undefined) needs.owners.add(owner)
    } else if (step.do === 'extend' || step.do === 'settle' || step.do === 'release') needs.reservations.add(step.id)
    else if (step.do === 'renew') for (const { id } of step.running) needs.reservations.add(id)
    else if (step.do === 'expire') needs.overdue = Math.max(needs.overdue, step.policy.limit)
    else if (step.do === 'define' || step.do === 'forget') needs.pools.add(step.pool)
    // Its window does not matter; a pool that nobody knows gets no row.
    else if (step.do === 'freeze') needs.asks.push({ pool: step.pool, now: 0 })
    else if (step.do === 'refund') needs.reservations.add(step.refund.reservation)
    else if (step.do === 'endCredits') for (const pool of step.pools) needs.pools.add(pool)
    else if (step.do === 'credit') {
      needs.asks.push({ pool: step.pool, now: step.now })
      needs.credits.push({ pool: step.pool.name, credit: step.credit.id })
    }
  }
  return needs
}

/** A refusal of one step is its own; anything else fails the transaction. */
function decided(parts: Pick<WorkParts, 'codec'>, books: Books, step: Exclude<Step, RowStep>, beside: Beside): Outcome {
  try {
    return { value: decide(parts, books, step, beside) }
  } catch (error) {
    if (error instanceof HooshError) return { error }
    throw error
  }
}

function decide(
  { codec }: Pick<WorkParts, 'codec'>,
  books: Books,
  step: Exclude<Step, RowStep>,
  beside: Beside,
): unknown {
  const onLost = (held: Held) => {
    if (held.intent !== null) beside.lost.push(held)
    const usage = usageOf(held)
    if (usage !== null && keepsUsage(held)) beside.usage.push(usage)
  }
  switch (step.do) {
    case 'reserve': {
      const isNew = !books.reservations.has(step.request.id)
      const grant = ledger.reserve(books, step.request, codec.same, onLost)
      if (isNew && step.request.intent !== undefined)
        beside.staged.push({ writer: NO_WRITER, record: step.request.intent })
      return grant
    }
    case 'extend':
      return ledger.extend(books, step.id, step.ask)
    case 'renew':
      return ledger.renew(books, step.running, step.leaseMs)
    case 'settle':
      return end(books, step.id, (held) => settled(held, step.actual), step.records, beside)
    case 'release':
      return end(books, step.id, released, step.records, beside)
    case 'expire':
      return ledger.expire(books, step.policy, onLost)
    case 'define':
      ledger.define(books, step.pool, step.terms)
      keep(step.records, beside)
      return undefined
    case 'freeze': {
      const terms = ledger.freeze(books, step.pool, step.frozen)
      keep(step.records, beside)
      return terms
    }
    case 'credit': {
      const credited = ledger.credit(books, step.pool, step.credit, step.now)
      if (!credited.repeated) keep(step.records, beside)
      return credited
    }
    case 'refund': {
      const refunded = ledger.refund(books, ledger.known(books, step.refund.reservation), step.refund)
      if (!refunded.repeated) keep(step.records, beside)
      return refunded
    }
    case 'endCredits':
      for (const pool of step.pools) endCredits(books, pool)
      return undefined
    case 'stage':
      for (const record of step.records) beside.staged.push({ writer: step.writer, record })
      return undefined
    case 'usage':
      beside.usage.push(...step.records)
      return undefined
  }
}

/** A repetition has left its records behind the first time. */
function end(
  books: Books,
  id: string,
  ending: (held: Held) => Ending,
  records: CallRecords | undefined,
  beside: Beside,
) {
  const held = ledger.known(books, id)
  const decision = ending(held)
  const settlement = ledger.end(books, held, decision)
  if (decision.repeated) return settlement
  if (settlement.reversal !== undefined && keepsUsage(held)) beside.usage.push(settlement.reversal)
  keep(records, beside)
  return settlement
}

function keep(records: CallRecords | undefined, { staged, usage }: Beside): void {
  if (records?.usage !== undefined) usage.push(records.usage)
  for (const record of records?.audit ?? []) staged.push({ writer: NO_WRITER, record })
}

/** Those that decide by what the database says of a chain or a pool, not by books that were read before. */
type RowStep = Extract<Step, { do: 'link' | 'checkpoint' | 'trim' | 'forget' }>

function isOnRows(step: Step): step is RowStep {
  return step.do === 'link' || step.do === 'checkpoint' || step.do === 'trim' || step.do === 'forget'
}

async function onRows(
  { audit, forget }: Pick<WorkParts, 'audit' | 'forget'>,
  runner: Runner,
  step: RowStep,
): Promise<Outcome> {
  if (step.do === 'forget') return { value: await forget(runner, step.pool) }
  if (step.do === 'checkpoint') return { value: await audit.checkpoint(runner, step.writer, step.at, step.checkpoint) }
  if (step.do === 'trim') return { value: await audit.trim(runner, step.writer, step.through) }
  return { value: await audit.link(runner, step.writer, step.after, step.entries) }
}

/** What became of calls that were begun and never ended, in the words of their intents. */
async function lostRecords(
  { audit, ids }: Pick<WorkParts, 'audit' | 'ids'>,
  runner: Runner,
  timestamp: number,
  lost: readonly Held[],
): Promise<Beside['staged']> {
  const records: Beside['staged'] = []
  for (const { id, owner, phase, intent, charged, accounts } of lost) {
    const began = await audit.recordOf(runner, intent!.at, intent!.id)
    const about = began === null ? { subject: owner, pool: accounts[0]?.pool.name ?? '' } : aboutOf(began)
    const record: AuditRecord = {
      ...about,
      id: ids(),
      timestamp,
      ...lostEvent(phase),
      level: 'warn',
      reservation: id,
      metadata: { charged_nano_usd: charged.nanoUsd, charged_tokens: charged.tokens },
    }
    records.push({ writer: NO_WRITER, record })
  }
  return records
}

function aboutOf({ provider, model, subject, pool, requestId }: AuditRecord): Partial<AuditRecord> {
  return {
    ...(provider !== undefined && { provider }),
    ...(model !== undefined && { model }),
    ...(subject !== undefined && { subject }),
    ...(pool !== undefined && { pool }),
    ...(requestId !== undefined && { requestId }),
  }
}
