import type { PoolAsk } from '@hoosh/core/storage'
import { altered } from './altered.js'

export const none = { tokens: 0, nanoUsd: 0 }
export const AMOUNT = ['tokens', 'nanoUsd']
export const under = (path: string, fields: readonly string[]) => fields.map((field) => `${path}.${field}`)

export const TERMS = ['capacity.tokens', 'capacity.nanoUsd', 'window', 'timeZone', 'limits', 'unpriced', 'frozen']
export const CREDIT = ['id', ...under('amount', AMOUNT), 'expiresAt', 'note', ...under('left', AMOUNT)]
export const STATE = [
  'name',
  ...under('terms', TERMS),
  'windowStart',
  'windowEnd',
  ...['used', 'held', 'drawn'].flatMap((figure) => under(figure, AMOUNT)),
  'credits',
  ...under('credits.*', CREDIT),
]
export const USAGE = ['requestId', 'provider', 'route', 'local', 'model', 'kind', 'stream', 'price']
export const RECORD = [
  'id',
  'at',
  'user',
  'pool',
  'pools',
  ...USAGE,
  'usage',
  'source',
  'nanoUsd',
  'outcome',
  'latencyMs',
]
export const EXPIRED = [
  ...['id', 'owner', 'phase', 'pools', ...under('charged', AMOUNT)],
  ...['usage', ...under('usage', [...RECORD, 'usage.input', 'usage.output'])],
]
export const GRANT = [
  ...['outputTokens', ...under('held', AMOUNT), 'leaseUntil'],
  ...['pools', ...under('pools.*', STATE), 'expired', ...under('expired.*', EXPIRED)],
]
export const SETTLEMENT = [
  ...['outcome', ...under('overrun', AMOUNT), 'repeated', 'pools', ...under('pools.*', STATE)],
  ...['reversal', ...under('reversal', [...RECORD, 'reverses'])],
]
export const HOLD = ['pool', 'windowStart', ...under('amount', AMOUNT)]
export const ENTRY = [
  ...['id', 'reservation', 'pool', 'windowStart', 'kind', ...under('amount', AMOUNT), ...under('overrun', AMOUNT)],
  ...['at', 'reference', 'note'],
]

/** The clock of the harness, which stands at that moment until a case lets it run on. */
export const BEGAN = 1_700_000_000_000

export const inTerms = (pools: readonly PoolAsk[], path: string): PoolAsk[] =>
  altered([...pools], `*.terms.${path}`, replaced(path))

/** What terms say where nobody says anything. */
export const replaced = (path: string) => () => ({ window: null, timeZone: 'UTC', unpriced: 'refuse' })[path]
