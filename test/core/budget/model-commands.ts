import { isDeepStrictEqual } from 'node:util'
import type {
  Amount,
  Ask,
  BudgetStore,
  Entry,
  PoolAsk,
  PoolState,
  PoolTerms,
  ReserveRequest,
} from '@hoosh/core/storage'
import { HooshError } from '@hoosh/core/storage'
import fc from 'fast-check'
import { expect } from 'vitest'
import * as ledger from './model.js'
import { equal, none, plus } from './model-amounts.js'
import { credit, refund, sweep } from './model-credits.js'

/** A ledger under test: handles on it as several processes would have them, and what the host says of its pools. */
export interface Real {
  readonly handles: readonly BudgetStore[]
  /** By which what is left behind is read; one of the handles in turn unless said. */
  readonly observer?: BudgetStore
  readonly clock: { now: number }
  readonly templates: Record<string, PoolTerms | null>
  /** In front of every name and id, so that runs may share a database. */
  readonly run: string
  /** What a heartbeat does for the ledger, where it has one. */
  readonly beat?: () => Promise<void>
  /** Makes of a request one that the ledger promises to treat as the definition says. */
  readonly shape?: (request: ReserveRequest, ask: (pool: string) => PoolAsk) => ReserveRequest
  /** The same of what an extension asks for. */
  readonly shapeMore?: (id: string, more: Ask) => Ask
  /** Length of a lease that a heartbeat gives, ms. */
  readonly leaseMs?: number
  /**
   * It keeps an entry for many calls together: what they add up to is seen in the accounts. Such calls are not refunded, and what
   * credits have left is not told call by call.
   */
  readonly sumsEntries?: boolean
  /** One call after another: what is under way between two steps shows in its figures. */
  readonly inTurn?: boolean
  /** The host says of a pool what it always said: a refused call may leave behind what it said last. */
  readonly keepsTemplates?: boolean
  /** Of two pools that refuse, for different reasons, either may be told. */
  readonly isNeverFrozen?: boolean
}

const POOLS = ['lifetime', 'hourly', 'weekly'] as const
export const IDS = Array.from({ length: 9 }, (_, number) => `r${number}`)
const OWNERS = ['ann', 'bob'] as const
const LEASE_MS = 60_000

/** One call of a store, and what the model makes of it. `told` is what the store answered, for where it may choose. */
interface Op {
  readonly name: string
  real(real: Real, store: BudgetStore): Promise<unknown>
  model(model: ledger.Model, real: Real, told: unknown, isAlone: boolean): unknown
}

type Command = fc.AsyncCommand<ledger.Model, Real>

const upTo = (most: Amount): fc.Arbitrary<Amount> =>
  fc.tuple(fc.nat(most.tokens), fc.nat(most.nanoUsd)).map(([tokens, nanoUsd]) => ({ tokens, nanoUsd }))
const amount = upTo({ tokens: 30, nanoUsd: 30 })
const prompt = upTo({ tokens: 12, nanoUsd: 12 })
const ask: fc.Arbitrary<Ask> = fc
  .record({
    fixed: prompt,
    each: upTo({ tokens: 1, nanoUsd: 2 }),
    floor: fc.nat(4),
    wish: fc.nat(12),
    atMost: fc.nat(24),
    plenty: fc.option(prompt, { nil: undefined }),
  })
  .map(({ floor, wish, atMost, plenty, ...rest }) => {
    const range = { floor: Math.min(floor, atMost), wish: Math.min(wish, atMost), atMost }
    return { ...rest, ...range, ...(plenty !== undefined && { plenty }) }
  })
const terms: fc.Arbitrary<PoolTerms> = fc
  .record({
    capacity: fc.record({ tokens: fc.nat(90), nanoUsd: fc.nat(90) }, { requiredKeys: [] }),
    window: fc.constantFrom<PoolTerms['window']>(null, 'hour', 'day', 'week', { everyMs: 90_000 }),
    frozen: fc.constantFrom(false, false, false, true),
  })
  .map(({ capacity, window, frozen }) => {
    const terms = { capacity: { ...capacity }, window, timeZone: 'UTC', unpriced: 'refuse' as const }
    return frozen ? { ...terms, frozen } : terms
  })
const pool = fc.constantFrom(...POOLS)
const id = fc.constantFrom(...IDS)
const onExpire = fc.constantFrom('charge' as const, 'counted' as const)

const reserving: fc.Arbitrary<Op> = fc
  .record({
    id,
    owner: fc.constantFrom(...OWNERS),
    phase: fc.constantFrom('sent' as const, 'reserved' as const),
    pools: fc.uniqueArray(pool, { minLength: 1, maxLength: 3 }),
    ask,
    leaseMs: fc.constantFrom(LEASE_MS, 1_000),
    onExpire,
    maxOpen: fc.constantFrom(undefined, 1, 2),
  })
  .map(({ pools, maxOpen, ...more }) => {
    const request = (real: Real) => {
      const plain: ReserveRequest = {
        ...more,
        id: real.run + more.id,
        owner: real.run + more.owner,
        pools: pools.map((name) => askFor(real, name)),
        now: real.clock.now,
        ...(maxOpen !== undefined && { maxOpen }),
      }
      return real.shape?.(plain, (name) => askFor(real, name)) ?? plain
    }
    return {
      name: `reserve(${JSON.stringify({ ...more, pools, maxOpen })})`,
      real: async (real, store) => grantOf(await store.reserve(request(real))),
      model: (model, real) => ledger.reserve(model, request(real)),
    }
  })

const extending: fc.Arbitrary<Op> = fc.tuple(id, ask).map(([which, more]) => ({
  name: `extend(${which}, ${JSON.stringify(more)})`,
  real: async ({ run, shapeMore }, store) => grantOf(await store.extend(run + which, shapeMore?.(which, more) ?? more)),
  model: (model, { run, shapeMore }) => ledger.extend(model, run + which, shapeMore?.(which, more) ?? more),
}))

const renewing: fc.Arbitrary<Op> = fc
  .array(fc.record({ id, counted: amount }), { minLength: 1, maxLength: 3 })
  .map((running) => {
    const named = ({ run }: Real) => running.map((one) => ({ ...one, id: run + one.id }))
    return {
      name: `renew(${JSON.stringify(running)})`,
      real: async (real, store) => await store.renew(named(real), real.leaseMs ?? LEASE_MS),
      model: (model, real) => ledger.renew(model, named(real), real.leaseMs ?? LEASE_MS),
    }
  })

const settling: fc.Arbitrary<Op> = fc.tuple(id, amount).map(([which, actual]) => ({
  name: `settle(${which}, ${JSON.stringify(actual)})`,
  real: async ({ run }, store) => settlementOf(await store.settle(run + which, actual)),
  model: (model, { run }) => ledger.settle(model, run + which, actual),
}))

const releasing: fc.Arbitrary<Op> = id.map((which) => ({
  name: `release(${which})`,
  real: async ({ run }, store) => settlementOf(await store.release(run + which)),
  model: (model, { run }) => ledger.release(model, run + which),
}))

/** Which of the overdue end first is the store's to choose; beside other calls it may also end fewer than it could. */
const expiring: fc.Arbitrary<Op> = fc.record({ onExpire, limit: fc.integer({ min: 1, max: 4 }) }).map((policy) => ({
  name: `expire(${JSON.stringify(policy)})`,
  real: async (_real, store) => (await store.expire(policy)).map(({ id: ended }) => ended).sort(),
  model(model, _real, told, isAlone) {
    const overdue = [...model.reservations.keys()].filter((one) => ledger.isOverdue(model, one))
    const ended = (told as string[]).filter((one) => overdue.includes(one)).slice(0, policy.limit)
    for (const one of ended) ledger.expire(model, one, policy.onExpire)
    return isAlone && ended.length < Math.min(overdue.length, policy.limit) ? overdue : ended
  },
}))

const defining: fc.Arbitrary<Op> = fc.tuple(pool, fc.option(terms)).map(([name, override]) => ({
  name: `define(${name}, ${JSON.stringify(override)})`,
  real: async ({ run, isNeverFrozen }, store) => void (await store.define(run + name, thawed(override, isNeverFrozen))),
  model(model, { run, isNeverFrozen }) {
    if (override === null) model.overrides.delete(run + name)
    else model.overrides.set(run + name, thawed(override, isNeverFrozen)!)
  },
}))

function thawed(override: PoolTerms | null, isNeverFrozen: boolean | undefined): PoolTerms | null {
  if (override === null || isNeverFrozen !== true) return override
  const { frozen: _frozen, ...more } = override
  return more
}

/** Of few kinds, so that some come twice. */
const crediting: fc.Arbitrary<Op> = fc
  .record({
    pool,
    id: fc.constantFrom('c0', 'c1', 'c2', 'c3'),
    amount: fc.constantFrom({ tokens: 20, nanoUsd: 0 }, { tokens: 15, nanoUsd: 25 }, { tokens: 0, nanoUsd: 0 }),
    lastsMs: fc.constantFrom(null, 0, LEASE_MS, 2 * LEASE_MS, 3_600_000, 86_400_000),
    note: fc.constantFrom(null, 'n'),
  })
  .map(({ pool: name, lastsMs, ...more }) => {
    const given = ({ clock }: Real) => ({
      ...more,
      expiresAt: lastsMs === null ? null : Math.floor(clock.now / LEASE_MS) * LEASE_MS + lastsMs,
    })
    return {
      name: `credit(${name}, ${JSON.stringify({ ...more, lastsMs })})`,
      real: async (real, store) => {
        if (real.sumsEntries === true) return null
        const { repeated, pool: state } = await store.credit(askFor(real, name), given(real), real.clock.now)
        return { repeated, pools: [figuresOf(state)] }
      },
      model: (model, real) =>
        real.sumsEntries === true ? null : credit(model, real.run + name, real.templates[name] ?? null, given(real)),
    }
  })

const refunding: fc.Arbitrary<Op> = fc
  .record({ reservation: id, id: fc.constantFrom('f0', 'f1', 'f2'), amount: upTo({ tokens: 12, nanoUsd: 12 }) })
  .map((more) => {
    const given = ({ run }: Real) => ({ ...more, reservation: run + more.reservation, note: null })
    return {
      name: `refund(${JSON.stringify(more)})`,
      real: async (real, store) => {
        if (real.sumsEntries === true) return null
        const { repeated, pools } = await store.refund(given(real))
        return { repeated, pools: pools.map(figuresOf) }
      },
      model: (model, real) => (real.sumsEntries === true ? null : refund(model, given(real))),
    }
  })

const finding: fc.Arbitrary<Op> = fc
  .tuple(fc.constantFrom(...OWNERS), pool, prompt, fc.boolean())
  .map(([owner, name, sought, inTokens]) => ({
    name: `find(${owner}, ${name}, ${JSON.stringify(inTokens ? { tokens: sought.tokens } : sought)})`,
    real: async ({ run }, store) => {
      const query = { owner: run + owner, pool: run + name, amount: inTokens ? { tokens: sought.tokens } : sought }
      return (await store.find(query))?.id ?? null
    },
    model: (model, { run }) => {
      return ledger.find(model, run + owner, run + name, inTokens ? { ...sought, nanoUsd: 0 } : sought)
    },
  }))

/** Operations at once, each by one of the handles. */
function together(ops: readonly { op: Op; handle: number }[]): Command {
  return {
    check: () => true,
    toString: () => ops.map(({ op, handle }) => `${handle}: ${op.name}`).join(' | '),
    async run(model, real) {
      if (real.inTurn !== true) return atOnce(ops, model, real)
      for (const one of ops) await atOnce([one], model, real)
    },
  }
}

async function atOnce(ops: readonly { op: Op; handle: number }[], model: ledger.Model, real: Real): Promise<void> {
  const { handles } = real
  const done = await Promise.all(
    ops.map(async ({ op, handle }) => ({ op, told: await outcomeOf(op, real, handles[handle % handles.length]!) })),
  )
  const seen = await observed(real, done.length)
  const after = explanation(model, real, done, seen, done.length === 1)
  if (after !== null) return void Object.assign(model, after)
  const inTurn = structuredClone(model)
  const expected = done.map(({ op, told }) => op.model(inTurn, real, told, done.length === 1))
  expect(
    { told: done.map(({ told }) => told), ...seen },
    'no order explains this; in the order of the calls:',
  ).toStrictEqual({
    told: expected,
    ...expectation(inTurn, real),
  })
}

/** The model after the operations in some order that gives exactly these answers and leaves exactly this behind. */
function explanation(
  model: ledger.Model,
  real: Real,
  done: readonly { op: Op; told: unknown }[],
  seen: object,
  isAlone: boolean,
): ledger.Model | null {
  if (done.length === 0) return isDeepStrictEqual(expectation(model, real), seen) ? model : null
  for (const [at, { op, told }] of done.entries()) {
    const next = structuredClone(model)
    if (!isDeepStrictEqual(op.model(next, real, told, isAlone), told)) continue
    const found = explanation(next, real, done.toSpliced(at, 1), seen, isAlone)
    if (found !== null) return found
  }
  return null
}

const moving: fc.Arbitrary<Command> = fc
  .oneof(
    { weight: 6, arbitrary: fc.constantFrom(1_000, 20_000, LEASE_MS, 90_000) },
    { weight: 2, arbitrary: fc.constantFrom(3_600_000, 86_400_000, 7 * 86_400_000) },
    { weight: 1, arbitrary: fc.constantFrom(-1, -30_000, -3_600_000) },
  )
  .map((ms) => ({
    check: () => true,
    toString: () => `advance(${ms})`,
    async run(model, { clock, beat }) {
      clock.now += ms
      model.now = clock.now
      await beat?.()
    },
  }))

const templating: fc.Arbitrary<Command> = fc.tuple(pool, fc.option(terms)).map(([name, template]) => ({
  check: () => true,
  toString: () => `template(${name}, ${JSON.stringify(template)})`,
  async run(_model, { templates, keepsTemplates }) {
    if (keepsTemplates !== true) templates[name] = template
  },
}))

const op = fc.oneof(
  { weight: 6, arbitrary: reserving },
  { weight: 2, arbitrary: extending },
  { weight: 2, arbitrary: renewing },
  { weight: 4, arbitrary: settling },
  { weight: 2, arbitrary: releasing },
  { weight: 2, arbitrary: expiring },
  { weight: 2, arbitrary: defining },
  { weight: 1, arbitrary: finding },
  { weight: 2, arbitrary: crediting },
  { weight: 2, arbitrary: refunding },
)
const several = fc.array(fc.record({ op, handle: fc.nat(1) }), { minLength: 1, maxLength: 4 }).map(together)

/** Every command there is, in the shares that a ledger sees. */
export const commands = fc.commands([several, several, several, several, moving, moving, templating], {
  maxCommands: 40,
  size: 'max',
})

function askFor({ run, templates }: Real, name: string): PoolAsk {
  return { name: run + name, terms: templates[name] ?? null }
}

async function outcomeOf(operation: Op, real: Real, store: BudgetStore): Promise<unknown> {
  try {
    return await operation.real(real, store)
  } catch (thrown) {
    if (thrown instanceof HooshError) return { refused: thrown.code }
    throw thrown
  }
}

function grantOf({
  outputTokens: output,
  held,
  leaseUntil,
  pools,
  expired,
}: Awaited<ReturnType<BudgetStore['reserve']>>) {
  return { output, held, leaseUntil, pools: pools.map(figuresOf), expired: expired.map((late) => late.id).sort() }
}

function settlementOf({ outcome, overrun, pools }: Awaited<ReturnType<BudgetStore['settle']>>) {
  return { outcome, overrun, pools: pools.map(figuresOf) }
}

function figuresOf({ name, windowStart: start, used, held, drawn, credits }: PoolState) {
  return { name, start, used, held, drawn, credits: credits.map(({ id: one, left }) => ({ id: one, left })) }
}

/** All that can be read of the ledger: accounts of now, entries, reservations. */
async function observed({ handles, observer, clock, templates, run, sumsEntries }: Real, turn: number) {
  const store = observer ?? handles[turn % handles.length]!
  // Enters the end of credits: else when that happens is the sweep's to choose.
  await store.expire({ onExpire: 'charge', limit: 0 })
  const asks = POOLS.map((name) => ({ name: run + name, terms: templates[name] ?? FREE }))
  const accounts = (await store.read(asks, clock.now)).map((state) => ({ ...figuresOf(state), terms: state.terms }))
  const entries =
    sumsEntries === true
      ? []
      : await Promise.all(POOLS.map(async (name) => store.entries(run + name, { limit: 1_000 })))
  const reservations = await Promise.all(IDS.map(async (name) => store.find({ id: run + name })))
  const posted = entries.flat().map(postedOf)
  const [ended, others] = [posted.filter(isEnd), posted.filter((entry) => !isEnd(entry))]
  return { accounts, entries: others.sort(inOrder), vanished: sums(ended), reservations }
}

const isEnd = ({ kind }: ledger.Posted) => kind === 'credit_expired'

/** By pool and credit. */
function sums(ended: readonly Pick<ledger.Posted, 'pool' | 'reference' | 'amount'>[]): Record<string, Amount> {
  const all: Record<string, Amount> = {}
  for (const { pool: name, reference, amount: gone } of ended) {
    all[`${name} ${reference}`] = plus(all[`${name} ${reference}`] ?? none, gone)
  }
  return all
}

function expectation(
  model: ledger.Model,
  { clock, templates, run, sumsEntries }: Real,
): Awaited<ReturnType<typeof observed>> {
  sweep(model)
  const accounts = POOLS.map((pool) => {
    const name = run + pool
    const terms = model.overrides.get(name) ?? templates[pool] ?? FREE
    const start = ledger.windowStart(terms.window, clock.now)
    return { name, start, ...ledger.figures(model, name, start), terms }
  })
  const reservations = IDS.map((name) => {
    const held = model.reservations.get(run + name)
    if (held === undefined) return null
    const { id: reservation, owner, phase, state, counted, leaseUntil } = held
    const holds = [...held.windows].map(([where, windowStart]) => ({ pool: where, windowStart, amount: held.held }))
    return { id: reservation, owner, phase, state, holds, counted, leaseUntil }
  })
  const gone = model.credits.filter(({ vanished }) => !equal(vanished, none))
  const vanished = sums(
    gone.map(({ pool: name, id: reference, vanished: all }) => ({ pool: name, reference, amount: all })),
  )
  return { accounts, entries: sumsEntries === true ? [] : [...model.entries].sort(inOrder), vanished, reservations }
}

const FREE: PoolTerms = { capacity: {}, window: null, timeZone: 'UTC', unpriced: 'refuse' }

function postedOf({ pool: name, windowStart: start, id: _id, at: _at, ...rest }: Entry): ledger.Posted {
  return { ...rest, pool: name, start }
}

const keyOf = ({ reservation, pool: name, kind, reference }: ledger.Posted) =>
  `${reservation} ${name} ${kind} ${reference}`
const inOrder = (a: ledger.Posted, b: ledger.Posted) => (keyOf(a) < keyOf(b) ? -1 : 1)
