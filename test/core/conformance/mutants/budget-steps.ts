import type { BudgetStore, ReserveRequest } from '@hoosh/core/storage'
import { altered } from './altered.js'
import { AMOUNT, BEGAN, EXPIRED, GRANT, inTerms, none, SETTLEMENT, STATE, TERMS, under } from './budget-fields.js'
import { faultsOf, type Mutant } from './mutant.js'

const { faulty, idle, ignoring, twice, misanswering, misrefusing, reversing } = faultsOf<BudgetStore>()

const reserving = (what: string, change: (request: ReserveRequest) => Partial<ReserveRequest>) =>
  ignoring('reserve', what, (request) => [{ ...request, ...change(request) }])

const asking = [
  ...under('fixed', AMOUNT),
  ...under('each', AMOUNT),
  ...['floor', 'wish', 'atMost', 'plenty', ...under('plenty', AMOUNT)],
]
const without = <T>(value: T, path: string): T =>
  altered(value, path, (found) => (typeof found === 'number' ? 0 : undefined)) as T

const RESERVE: readonly Mutant<BudgetStore>[] = [
  ...twice('reserve'),
  ...misanswering('reserve', GRANT),
  reversing('reserve', 'pools'),
  ...misrefusing('reserve', {
    reservation_conflict: [],
    too_many_reservations: [],
    unknown_pool: ['pool'],
    pool_frozen: ['pool'],
    budget_exceeded: ['pool', 'available', 'availableUsd', 'resetsAt', 'retryAfterMs', 'retryable'],
    invalid_request: [],
  }),
  reserving('id', () => ({ id: 'r' })),
  reserving('owner', () => ({ owner: 'somebody' })),
  reserving('phase, takes all for calls', () => ({ phase: 'sent' })),
  reserving('phase, takes all for holds of the host', () => ({ phase: 'reserved' })),
  reserving('pools but the first', ({ pools }) => ({ pools: pools.slice(0, 1) })),
  reserving('pools but the last', ({ pools }) => ({ pools: pools.slice(-1) })),
  reserving('templates', ({ pools }) => ({ pools: pools.map(({ name }) => ({ name, terms: null })) })),
  ...TERMS.map((path) => reserving(`a template's ${path}`, ({ pools }) => ({ pools: inTerms(pools, path) }))),
  ...asking.map((path) => reserving(`ask.${path}`, ({ ask }) => ({ ask: without(ask, path) }))),
  reserving('leaseMs, takes a minute', () => ({ leaseMs: 60_000 })),
  reserving('now', () => ({ now: BEGAN })),
  reserving('maxOpen', () => ({ maxOpen: undefined as never })),
  reserving('maxOpen, allows one more', ({ maxOpen }) => (maxOpen === undefined ? {} : { maxOpen: maxOpen + 1 })),
  reserving('maxOpen, allows one less', ({ maxOpen }) => (maxOpen === undefined ? {} : { maxOpen: maxOpen - 1 })),
  reserving('onExpire, charges in full', () => ({ onExpire: 'charge' })),
  reserving('onExpire, charges as counted', () => ({ onExpire: 'counted' })),
  reserving('call', () => ({ call: undefined as never })),
  faulty('reserve', 'says pool_frozen before unknown_pool', async (act, [request], store) => {
    const { pools, now } = request
    for (const { name, terms } of pools) {
      const [state] = await Promise.resolve(store.read([{ name, terms }], now)).catch(() => [])
      const known = pools.filter((pool) => pool.terms !== null)
      if (state?.terms.frozen === true && known.length > 0) return act({ ...request, pools: [{ name, terms }] })
    }
    return act(request)
  }),
  faulty('reserve', 'ends overdue holds though it refuses', (act, [request], store) =>
    act(request).catch(async (error) => {
      await store.expire({ limit: 100, onExpire: request.onExpire })
      throw error
    }),
  ),
]

const EXTEND: readonly Mutant<BudgetStore>[] = [
  ...twice('extend'),
  ...misanswering('extend', [
    ...['outputTokens', ...under('held', AMOUNT), 'leaseUntil', 'expired', 'pools', ...under('pools.*', STATE)],
  ]),
  reversing('extend', 'pools'),
  ...misrefusing('extend', {
    not_held: [],
    pool_frozen: ['pool'],
    budget_exceeded: ['pool', 'available', 'availableUsd', 'resetsAt', 'retryAfterMs', 'retryable'],
    invalid_request: [],
  }),
  ignoring('extend', 'id', (_id, ask) => ['r', ask]),
  ...asking.map((path) => ignoring('extend', `ask.${path}`, (id, ask) => [id, without(ask, path)])),
  faulty('extend', 'says that the lease ends a minute from now', async (act, [id, ask], store) => {
    const grant = await act(id, ask)
    await store.renew([{ id, counted: none }], 60_000)
    return { ...grant, leaseUntil: (await store.find({ id }))!.leaseUntil }
  }),
]

const RENEW: readonly Mutant<BudgetStore>[] = [
  idle('renew', []),
  ...twice('renew'),
  ...misanswering('renew', ['', '*']),
  ignoring('renew', 'calls but the first', (running, leaseMs) => [running.slice(0, 1), leaseMs]),
  ignoring('renew', 'calls but the last', (running, leaseMs) => [running.slice(-1), leaseMs]),
  ignoring('renew', 'counted', (running, leaseMs) => [running.map(({ id }) => ({ id, counted: none })), leaseMs]),
  ...AMOUNT.map((unit) =>
    ignoring('renew', `counted.${unit}`, (running, leaseMs) => [
      running.map(({ id, counted }) => ({ id, counted: { ...counted, [unit]: 0 } })),
      leaseMs,
    ]),
  ),
  ignoring('renew', 'leaseMs, takes a minute', (running) => [running, 60_000]),
]

const END: readonly Mutant<BudgetStore>[] = [
  ...twice('settle'),
  ...twice('release'),
  ...misanswering('settle', SETTLEMENT),
  ...misanswering('release', SETTLEMENT),
  reversing('settle', 'pools'),
  reversing('release', 'pools'),
  ...misrefusing('settle', { not_held: [], reservation_conflict: [], invalid_request: [] }),
  ...misrefusing('release', { not_held: [], reservation_conflict: [] }),
  ...AMOUNT.map((unit) => ignoring('settle', `actual.${unit}`, (id, actual) => [id, { ...actual, [unit]: 0 }])),
  ignoring('settle', 'id', (_id, actual) => ['r', actual]),
  ignoring('release', 'id', () => ['r']),
  faulty('release', 'is a settle of nothing', (_act, [id], store) => store.settle(id, none)),
]

const EXPIRE: readonly Mutant<BudgetStore>[] = [
  idle('expire', []),
  ...twice('expire'),
  ...misanswering('expire', ['', ...under('*', EXPIRED)]),
  ignoring('expire', 'limit', (policy) => [{ ...policy, limit: 1_000 }]),
  ignoring('expire', 'limit, ends one', (policy) => [{ ...policy, limit: 1 }]),
  ignoring('expire', 'onExpire, charges in full', (policy) => [{ ...policy, onExpire: 'charge' }]),
  ignoring('expire', 'onExpire, as counted', (policy) => [{ ...policy, onExpire: 'counted' }]),
]

export const stepMutants = [...RESERVE, ...EXTEND, ...RENEW, ...END, ...EXPIRE]
