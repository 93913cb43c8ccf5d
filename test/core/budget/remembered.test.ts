import { type BudgetStore, memoryBudgets, type Reservation } from '@hoosh/core/storage'
import { fakeClock } from '@hoosh/core/testing'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'

const REMEMBERED = 3
const ENDINGS = ['settle', 'release', 'settle'] as const
const NAMES = ['red', 'blue', 'green'] as const
const terms = { capacity: { tokens: 1e9, nanoUsd: 1e12 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } as const
const code = (call: () => unknown) => {
  try {
    call()
    return 'none'
  } catch (error) {
    return (error as { code: string }).code
  }
}

const step = fc.oneof(
  fc.record({
    kind: fc.constant('reserve' as const),
    pools: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 }),
    owner: fc.constantFrom('ann', 'bob'),
    phase: fc.constantFrom('sent' as const, 'reserved' as const),
    tokens: fc.nat(100),
    nanoUsd: fc.nat(5_000_000_000),
  }),
  fc.record({
    kind: fc.constantFrom(...ENDINGS, ...ENDINGS, 'refund' as const, 'wait' as const),
    which: fc.nat(),
    tokens: fc.nat(50),
  }),
)

type Kept = Reservation & { charge: { tokens: number; nanoUsd: number }; refunds: number }

/** The ledger beside plain objects that say the same: what is kept of the ended, in what room soever, is theirs and nobody else's. */
function agree(steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[]): void {
  const clock = fakeClock('2026-01-01T00:00:00Z')
  const budgets: BudgetStore = memoryBudgets({ clock: clock.now, maxEnded: REMEMBERED, maxEntries: 2 })
  const made: Kept[] = []
  const gone: { settled: string[]; expired: string[] } = { settled: [], expired: [] }
  const known = ({ id }: Kept) =>
    ![...gone.settled.slice(0, -REMEMBERED), ...gone.expired.slice(0, -REMEMBERED)].includes(id)
  const end = (kept: Kept, state: 'settled' | 'released' | 'expired', charge: Kept['charge']) => {
    made[made.indexOf(kept)] = { ...kept, state, charge }
    gone[state === 'expired' ? 'expired' : 'settled'].push(kept.id)
  }

  for (const one of steps) {
    if (one.kind === 'reserve') {
      const { pools, owner, phase, tokens, nanoUsd } = one
      const id = `r${made.length}`
      const fixed = { tokens, nanoUsd }
      const ask = { fixed, each: { tokens: 0, nanoUsd: 0 }, floor: 0, wish: 0, atMost: 0 }
      const now = clock.now()
      const asked = pools.map((name) => ({ name, terms }))
      budgets.reserve({ id, owner, phase, pools: asked, ask, leaseMs: 60_000, now, onExpire: 'charge' })
      const holds = pools.map((pool) => ({ pool, windowStart: 0, amount: fixed }))
      const nothing = { tokens: 0, nanoUsd: 0 }
      const leaseUntil = now + 60_000
      made.push({ id, owner, phase, state: 'held', holds, counted: fixed, leaseUntil, charge: nothing, refunds: 0 })
      continue
    }
    if (one.kind === 'wait') {
      clock.advance(25_000)
      const overdue = made.filter(({ state, leaseUntil }) => state === 'held' && leaseUntil <= clock.now())
      const told = budgets.expire({ onExpire: 'charge', limit: 100 }) as readonly { id: string }[]
      expect(new Set(told.map(({ id }) => id))).toEqual(new Set(overdue.map(({ id }) => id)))
      for (const { id } of told) {
        const kept = made.find((other) => other.id === id)!
        end(kept, 'expired', kept.holds[0]!.amount)
      }
      continue
    }
    const kept = made.at(-1 - (one.which % 8))
    if (kept === undefined) continue
    const amount = { tokens: one.tokens, nanoUsd: one.tokens * 100_000_000 }
    if (one.kind === 'settle' && kept.state === 'held') {
      expect(budgets.settle(kept.id, amount)).toMatchObject({ outcome: 'settled', repeated: false })
      end(kept, 'settled', amount)
    } else if (one.kind === 'settle' && kept.state === 'settled' && known(kept)) {
      expect(budgets.settle(kept.id, kept.charge)).toMatchObject({ outcome: 'settled', repeated: true })
      const other = { tokens: kept.charge.tokens + 1, nanoUsd: kept.charge.nanoUsd }
      expect(code(() => budgets.settle(kept.id, other))).toBe('reservation_conflict')
    } else if (one.kind === 'release' && kept.state === 'held') {
      expect(budgets.release(kept.id)).toMatchObject({ outcome: 'released', repeated: false })
      end(kept, 'released', { tokens: 0, nanoUsd: 0 })
    } else if (one.kind === 'refund' && kept.state === 'settled' && known(kept) && kept.charge.tokens > 0) {
      const given = { id: `f${kept.refunds}`, reservation: kept.id, amount: { tokens: 1, nanoUsd: 0 }, note: null }
      const left = kept.charge.tokens - kept.refunds
      if (left > 0) expect(budgets.refund(given)).toMatchObject({ repeated: false })
      else expect(code(() => budgets.refund(given))).toBe('invalid_request')
      if (left > 0) made[made.indexOf(kept)] = { ...kept, refunds: kept.refunds + 1 }
    } else if (!known(kept)) {
      expect(code(() => budgets.settle(kept.id, amount))).toBe('not_held')
    }
  }

  for (const kept of made) {
    const { charge: _charge, refunds: _refunds, ...reservation } = kept
    expect(budgets.find({ id: kept.id })).toEqual(known(kept) ? reservation : null)
  }
  for (const name of NAMES) {
    const inPool = made.filter(({ holds }) => holds.some(({ pool }) => pool === name))
    const sum = (of: (kept: Kept) => { tokens: number; nanoUsd: number }, unit: 'tokens' | 'nanoUsd') =>
      inPool.reduce((total, kept) => total + of(kept)[unit], 0)
    const refunded = inPool.reduce((total, { refunds }) => total + refunds, 0)
    const held = (kept: Kept) => (kept.state === 'held' ? kept.holds[0]!.amount : { tokens: 0, nanoUsd: 0 })
    expect(budgets.read([{ name, terms }], clock.now())).toMatchObject([
      {
        used: {
          tokens: sum(({ charge }) => charge, 'tokens') - refunded,
          nanoUsd: sum(({ charge }) => charge, 'nanoUsd'),
        },
        held: { tokens: sum(held, 'tokens'), nanoUsd: sum(held, 'nanoUsd') },
      },
    ])
  }
}

it('what is remembered of ended reservations is theirs, until as many as are remembered have ended after them', () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 150, size: 'max' }), agree), { numRuns: 300 })
})
