import type { UsageRecord, UsageStore } from '@hoosh/core/storage'
import { altered } from './altered.js'
import { faultsOf, type Mutant } from './mutant.js'

const { faulty, idle, ignoring, twice, misanswering } = faultsOf<UsageStore>()

const TOTAL = [
  'provider',
  'route',
  'local',
  'model',
  'user',
  'pool',
  'requests',
  'promptTokens',
  'completionTokens',
  'nanoUsd',
]

/** What a record may be in place of what it is: the same for all of them. */
const OTHERS: Readonly<Record<string, unknown>> = {
  ...{ at: 1_790_000_000_000, user: 'ada', pool: 'user:ada', provider: 'openai', route: 'openai', local: false },
  ...{ model: 'gpt-4o', nanoUsd: 70, reverses: undefined },
  ...{
    'usage.input': 8,
    'usage.cachedInput': 2,
    'usage.cacheWrite': 0,
    'usage.audioInput': 0,
    'usage.output': 3,
    'usage.audioOutput': 0,
    'usage.reasoning': 2,
  },
}

export const usageMutants: readonly Mutant<UsageStore>[] = [
  idle('record', undefined),
  ...twice('record'),
  ignoring('record', 'records but the first', (records) => [records.slice(0, 1)]),
  ignoring('record', 'records but the last', (records) => [records.slice(-1)]),
  ...Object.entries(OTHERS).map(([path, other]) =>
    ignoring('record', path, (records) => [records.map((record): UsageRecord => altered(record, path, () => other))]),
  ),
  faulty('record', 'counts what it knows once more', (act, [records]) =>
    act([...records, ...records.map((record) => ({ ...record, id: `${record.id} again` }))]),
  ),
  ...misanswering('totals', ['', ...TOTAL.map((field) => `*.${field}`)]),
  ...['user', 'pool', 'from', 'to'].map((field) =>
    ignoring('totals', field, ({ [field as 'user']: _left, ...filter }) => [filter]),
  ),
  ignoring('totals', 'whole names, takes prefixes', ({ user, ...filter }) => [
    { ...filter, ...(user !== undefined && { user: user === 'ad' ? 'ada' : user }) },
  ]),
  idle('reset', undefined),
  ...twice('reset'),
]

export const usageEquivalents = {
  'record acts twice, and answers as the first time': 'a record of a known id changes nothing',
  'record acts twice, and answers as the second time': 'a record of a known id changes nothing',
  'reset acts twice, and answers as the first time': 'totals that were begun anew are begun anew',
  'reset acts twice, and answers as the second time': 'totals that were begun anew are begun anew',
}
