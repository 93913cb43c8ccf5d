import type { BudgetStore, PoolTerms } from '@hoosh/core/storage'
import { altered } from './altered.js'
import { AMOUNT, BEGAN, ENTRY, HOLD, inTerms, replaced, STATE, TERMS, under } from './budget-fields.js'
import { faultsOf, type Mutant } from './mutant.js'

const { faulty, idle, ignoring, twice, misanswering, misrefusing, reversing } = faultsOf<BudgetStore>()

const GIVE: readonly Mutant<BudgetStore>[] = [
  ...twice('credit'),
  ...twice('refund'),
  ...misanswering('credit', ['repeated', ...under('pool', STATE)]),
  ...misanswering('refund', ['repeated', 'pools', ...under('pools.*', STATE)]),
  reversing('refund', 'pools'),
  ...misrefusing('credit', { unknown_pool: ['pool'], entry_conflict: [], invalid_request: [] }),
  ...misrefusing('refund', {
    ...{ not_held: [], entry_conflict: [], reservation_conflict: [], invalid_request: [] },
  }),
  ignoring('credit', 'pool', (_pool, credit, now) => [
    { name: 'other', terms: { capacity: { tokens: 100 }, window: null, timeZone: 'UTC', unpriced: 'refuse' } },
    credit,
    now,
  ]),
  ...['id', ...under('amount', AMOUNT), 'expiresAt', 'note'].map((path) =>
    ignoring('credit', `credit.${path}`, (pool, credit, now) => {
      const others = { id: 'c', expiresAt: null, note: null }[path]
      return [pool, altered(credit, path, () => (others === undefined ? 0 : others)) as never, now]
    }),
  ),
  ...TERMS.map((path) =>
    ignoring('credit', `a template's ${path}`, (pool, credit, now) => [inTerms([pool], path)[0]!, credit, now]),
  ),
  ignoring('credit', 'now', (pool, credit) => [pool, credit, BEGAN]),
  ...['id', 'reservation', ...under('amount', AMOUNT), 'note'].map((path) =>
    ignoring('refund', `refund.${path}`, (refund) => {
      const others = { id: 'f', reservation: 'r', note: null }[path]
      return [altered(refund, path, () => (others === undefined ? 0 : others)) as never]
    }),
  ),
]

const READ: readonly Mutant<BudgetStore>[] = [
  ...misanswering('read', ['', ...under('*', STATE)]),
  ...misanswering('list', ['', ...under('*', STATE)]),
  ...misanswering('entries', ['', ...under('*', ENTRY)]),
  ...misanswering('find', [
    ...[
      '',
      'id',
      'owner',
      'phase',
      'state',
      ...under('counted', AMOUNT),
      'leaseUntil',
      'holds',
      ...under('holds.*', HOLD),
    ],
  ]),
  ...misanswering('overrides', ['', '*.name', ...under('*.terms', TERMS)]),
  reversing('read', ''),
  reversing('list', ''),
  reversing('entries', ''),
  faulty('overrides', 'looks only at the first', async (act) => (await act()).slice(0, 1)),
  ...misrefusing('read', { unknown_pool: ['pool'] }),
  ignoring('read', 'now', (pools) => [pools, BEGAN]),
  ignoring('read', 'pools but the first', (pools, now) => [pools.slice(0, 1), now]),
  ...TERMS.map((path) => ignoring('read', `a template's ${path}`, (pools, now) => [inTerms(pools, path), now])),
  ignoring('list', 'now', (filter) => [{ ...filter, now: BEGAN }]),
  ignoring('list', 'limit', (filter) => [{ ...filter, limit: 1_000 }]),
  ignoring('list', 'after', ({ limit, now }) => [{ limit, now }]),
  ignoring('entries', 'pool', (_pool, page) => ['team', page]),
  ignoring('entries', 'limit', (pool, page) => [pool, { ...page, limit: 1_000 }]),
  ignoring('entries', 'before', (pool, { limit }) => [pool, { limit }]),
  ...['id', 'owner', 'pool', 'amount.tokens', 'amount.nanoUsd'].map((path) =>
    faulty('find', `does not look at ${path}`, async (act, [query]) => {
      const found = await act(query)
      if (found !== null || !(path.split('.')[0]! in query)) return found
      const guesses: unknown[] = { id: ['r'], owner: ['ann', 'bob'], pool: ['user:ann', 'team:red'] }[path] ?? [
        0, 5, 10, 11,
      ]
      for (const guess of guesses) {
        const other = await act(altered(query, path, () => guess) as never)
        if (other !== null) return other
      }
      return null
    }),
  ),
]

const DEFINE: readonly Mutant<BudgetStore>[] = [
  idle('define', undefined),
  ...twice('define'),
  ...TERMS.map((path) =>
    ignoring('define', `terms.${path}`, (pool, terms) => [
      pool,
      altered(terms, path, replaced(path)) as PoolTerms | null,
    ]),
  ),
  faulty('define', 'removes nothing', async (act, [pool, terms]) => (terms === null ? undefined : act(pool, terms))),
  ignoring('define', 'pool', (_pool, terms) => ['user:ann', terms]),
  idle('forget', true),
  idle('forget', false),
  ...twice('forget'),
  ...misanswering('forget', ['']),
  ignoring('forget', 'pool', () => ['run:1']),
  faulty('forget', 'leaves the override', async (act, [pool], store) => {
    const before = (await store.overrides()).find(({ name }) => name === pool)
    const isGone = await act(pool)
    if (before !== undefined) await store.define(pool, before.terms)
    return isGone
  }),
]

const FREEZE: readonly Mutant<BudgetStore>[] = [
  idle('freeze', null),
  ...twice('freeze'),
  ...misanswering('freeze', ['', ...TERMS]),
  ...misrefusing('freeze', { unknown_pool: ['pool'] }),
  ignoring('freeze', 'pool', ({ terms }, frozen) => [{ name: 'team', terms }, frozen]),
  ignoring('freeze', 'frozen, freezes', (pool) => [pool, true]),
  ignoring('freeze', 'frozen, unfreezes', (pool) => [pool, false]),
  ...TERMS.map((path) =>
    ignoring('freeze', `a template's ${path}`, (pool, frozen) => [inTerms([pool], path)[0]!, frozen]),
  ),
  faulty('freeze', 'keeps an override that its template says as well', async (act, [pool, frozen], store) => {
    const terms = await act(pool, frozen)
    if (terms === null && pool.terms !== null) await store.define(pool.name, pool.terms)
    return terms
  }),
]

export const bookMutants = [...GIVE, ...READ, ...DEFINE, ...FREEZE]
