import {
  type Ask,
  type BudgetStore,
  memoryBudgets,
  type PoolAsk,
  type ReserveRequest,
  slicedBudgets,
} from '@hoosh/core/storage'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { onNewReal, SEQUENCES, SEQUENCES_MS } from './model-runs.js'

const AGES_MS = 3_600_000 * 24 * 3_650

let made = 0

/** One process with slices over a ledger of its own; of what is told, the slices themselves are none of the model's. */
function sliced(clock: () => number, pools: readonly string[]) {
  const slices = slicedBudgets({
    store: memoryBudgets({ clock }),
    pools,
    clock,
    leaseMs: AGES_MS,
    onExpire: 'charge',
    ids: () => `${made++}`,
  })
  const { budgets } = slices
  const isCall = ({ id }: { id: string }) => !id.startsWith('slice:')
  const store: BudgetStore = {
    ...budgets,
    reserve: async (request) => {
      const grant = await budgets.reserve(request)
      return { ...grant, expired: grant.expired.filter(isCall) }
    },
    expire: async (policy) => (await budgets.expire(policy)).filter(isCall),
  }
  const relaxed = { sumsEntries: true, inTurn: true, keepsTemplates: true }
  return { handles: [store], beat: slices.beat, leaseMs: AGES_MS, ...relaxed }
}

/** Calls of a process that lives: their leases run on, and nobody counts them. */
const asCall = ({ maxOpen: _maxOpen, ...request }: ReserveRequest): ReserveRequest => {
  return { ...request, phase: 'sent', leaseMs: AGES_MS }
}

/** What is all in slices, partly, and not at all never has the same id: only a ledger without slices would notice. */
function byId(request: ReserveRequest, ask: (pool: string) => PoolAsk): ReserveRequest {
  const sliced = request.pools.filter(({ name }) => name !== 'weekly')
  if (sliced.length === 0) sliced.push(ask('hourly'))
  const kind = kindOf(request.id)
  if (kind === 0) return { ...request, leaseMs: AGES_MS, pools: [ask('weekly')] }
  if (kind === 1) return { ...asCall(request), pools: sliced }
  return { ...asCall(request), ask: moreById(request.id, request.ask), pools: [...sliced, ask('weekly')] }
}

/** Of a call that is partly in slices: whether there is plenty is decided where a lease counts as held, so by less than the definition knows. */
function moreById(id: string, { plenty, ...counted }: Ask): Ask {
  return kindOf(id) !== 2 && plenty !== undefined ? { ...counted, plenty } : counted
}

const kindOf = (id: string) => Number(id.at(-1)) % 3

/** A quarter as many as for a store: each takes several steps of one. */
const RUNS = { ...SEQUENCES, numRuns: SEQUENCES.numRuns / 4 }

describe('one process with slices', () => {
  it('answers any interleaving as the definition of a ledger says', { timeout: SEQUENCES_MS }, () =>
    fc.assert(
      onNewReal((clock) => ({ ...sliced(clock, ['*']), shape: asCall })),
      RUNS,
    ),
  )

  it('also where some pools of a call are sliced and some are not', { timeout: SEQUENCES_MS }, () =>
    fc.assert(
      onNewReal((clock) => ({
        ...sliced(clock, ['lifetime', 'hourly']),
        shape: byId,
        shapeMore: moreById,
        isNeverFrozen: true,
      })),
      RUNS,
    ),
  )
})
